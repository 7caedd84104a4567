import type { Command } from "commander";
import { connect } from "../../api/connect.ts";
import { type Cli, print } from "../../cli.ts";
import { countText } from "../../terminal/amounts.ts";
import { plain, plainJson } from "../../terminal/plain.ts";
import { addExamples, addJsonOption } from "../common-options.ts";

type RemoveOptions = { moveTo?: string; json?: boolean };

export function addQueuesRemove(queues: Command, cli: Cli): void {
  const command = queues
    .command("remove")
    .alias("rm")
    .description("remove an empty queue, or one whose jobs go on in another")
    .argument("<queue>", "its name")
    .option("--move-to <queue>", "where what waits and runs in it goes on");
  addExamples(command, [
    ["nexus queues remove night", "when nothing waits or runs in it"],
    ["nexus queues remove night --move-to default", "its jobs go on in another queue"],
  ]);
  addJsonOption(command).action(async (name: string, { moveTo, json }: RemoveOptions) => {
    const { api } = await connect(cli);
    const input = { name, ...(moveTo === undefined ? {} : { moveTo }) };
    const { moved } = await api.call("queues.remove", input);
    if (json) print(cli, plainJson({ removed: name, moved }, 2));
    else {
      const rest =
        moveTo === undefined
          ? ""
          : `; ${countText(moved, "job")} of it ${moved === 1 ? "goes" : "go"} on in ${plain(moveTo)}`;
      print(cli, `${plain(name)} was removed${rest}`);
    }
  });
}
