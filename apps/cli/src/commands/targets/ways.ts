import type { SshTransportHealth, SshWay } from "@nexus/shared/api/ssh";
import type { Command } from "commander";
import { connect } from "../../api/connect.ts";
import { type Cli, note, print } from "../../cli.ts";
import { gatherCredentials } from "../../ssh/credentials.ts";
import { followRun } from "../../ssh/follow-run.ts";
import { addSshOptions, type SshOptions } from "../../ssh/ssh-options.ts";
import { agoText } from "../../terminal/amounts.ts";
import { confirm } from "../../terminal/ask.ts";
import { plain, plainJson } from "../../terminal/plain.ts";
import { withSpinner } from "../../terminal/spinner.ts";
import { type Cell, tableLines } from "../../terminal/table.ts";
import { addJsonOption } from "../common-options.ts";

type RotateOptions = SshOptions & { yes?: boolean; json?: boolean };

const STATES: Record<SshTransportHealth["state"], Cell> = {
  untried: { text: "· not tried yet", ink: "dim" },
  works: { text: "● works", ink: "green" },
  failing: { text: "! failing", ink: "yellow" },
  resting: { text: "✗ left out", ink: "red" },
  refused: { text: "✗ refused", ink: "red" },
};

const IN_USE: Cell = { text: "● in use", ink: "green" };

/** `ways`, how targets are reached over SSH; and `rotate-key`, for the keys that are kept for them. */
export function addTargetsWays(targets: Command, cli: Cli): void {
  const list = targets
    .command("ways")
    .description("how machines are reached over SSH, by which keys, and how each transport does");
  addJsonOption(list).action(async (options: { json?: boolean }) => {
    const { api } = await connect(cli);
    const ways = await withSpinner(cli.stderr, "Asking", api.call("ssh.ways", undefined));
    if (options.json) print(cli, plainJson({ ways }, 2));
    else if (ways.length === 0)
      print(cli, "No target is known to be reached over SSH. Add one: nexus targets add user@host");
    else showWays(cli, ways);
  });

  const rotate = targets
    .command("rotate-key")
    .description("make a new key for a target and take the one that was kept for it out of the machine")
    .argument("<target...>", "names or ids")
    .option("-y, --yes", "do not ask");
  addJsonOption(addSshOptions(rotate)).action(async (names: string[], options: RotateOptions) => {
    const { api } = await connect(cli);
    const isJson = options.json === true;
    const question = `Make a new key for ${names.map(plain).join(", ")}?`;
    if (!options.yes && !(await confirm(cli, question))) {
      print(cli, "Nothing was changed.");
      return;
    }
    // The key that is kept may do: nobody is asked for another one.
    const credentials = await gatherCredentials(cli, options, { url: api.url, usual: [], mayAsk: false });
    const { id } = await api.call("ssh.start", {
      act: "rotate-key",
      targets: names,
      credentials,
      acceptHostKeys: options.acceptHostKey ?? [],
      canAsk: cli.stdin.isTTY === true && !isJson,
    });
    await followRun(cli, api, { id, isJson });
  });
}

function showWays(cli: Cli, ways: readonly SshWay[]): void {
  const nowMs = Date.now();
  const rows = ways.flatMap(({ target, way, key, transports, servedOver }) =>
    transports.map(({ transport, state, latencyMs, lastSuccessAtMs }, at): Cell[] => [
      at === 0 ? target.name : "",
      at === 0 ? way : "",
      transport,
      transport === servedOver ? IN_USE : STATES[state],
      latencyMs === null ? "" : `${Math.round(latencyMs)} ms`,
      lastSuccessAtMs === null ? "" : agoText(nowMs - lastSuccessAtMs),
      at > 0 ? "" : key === null ? { text: "none kept", ink: "dim" } : key.fingerprint,
    ]),
  );
  const columns = [
    { title: "TARGET", cutTo: 10 },
    { title: "WAY", cutTo: 14 },
    { title: "TRANSPORT", cutTo: 14 },
    { title: "STATE" },
    { title: "LOGS IN", align: "right" as const, leaveOut: 2 },
    { title: "LAST IN", align: "right" as const, leaveOut: 3 },
    { title: "KEY", cutTo: 12, leaveOut: 1 },
  ];
  print(cli, tableLines(columns, rows, { paint: cli.paint, columns: cli.columns }));
  for (const { target, transports } of ways)
    for (const { transport, lastError } of transports)
      if (lastError !== null) note(cli, `${plain(target.name)}: ${plain(transport)}: ${plain(lastError)}`);
}
