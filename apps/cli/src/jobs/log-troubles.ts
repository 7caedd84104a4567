import type { LogTrouble } from "@nexus/shared/api/schemas";
import { type Cli, note, print } from "../cli.ts";
import { plain, plainJson } from "../terminal/plain.ts";

/** Tells why a log is not whole or does not grow, once, and when that is over; for scripts as a line of JSON. */
export function createTroubleTeller(cli: Cli, options: { json: boolean }): (troubles: LogTrouble[]) => void {
  let before: LogTrouble[] = [];
  return (troubles) => {
    const isKnown = ({ code }: LogTrouble) => before.some((one) => one.code === code);
    const isOver = before.some(
      ({ code }) => code !== "node_disk_full" && !troubles.some((one) => one.code === code),
    );
    const news = troubles.filter((one) => !isKnown(one));
    before = troubles;
    if (news.length === 0 && !isOver) return;
    if (options.json) print(cli, plainJson({ type: "troubles", troubles }));
    for (const { message } of news) note(cli, `nexus: ${plain(message)}.`);
    if (isOver) note(cli, "nexus: that is over; the log goes on");
  };
}
