import type { SshHostKey } from "@nexus/shared/api/ssh";
import type { Command } from "commander";
import { connect } from "../../api/connect.ts";
import { type Cli, note, print } from "../../cli.ts";
import { confirm } from "../../terminal/ask.ts";
import { plain, plainJson } from "../../terminal/plain.ts";
import { type Cell, tableLines } from "../../terminal/table.ts";
import { addJsonOption } from "../common-options.ts";

type ReplaceOptions = { old: string; new: string; reason: string; yes?: boolean; json?: boolean };

/** `host-keys`, and `replace-host-key`: the only way on after the key of a machine changed. */
export function addTargetsHostKeys(targets: Command, cli: Cli): void {
  const list = targets.command("host-keys").description("by which keys the team knows machines over SSH");
  addJsonOption(list).action(async (options: { json?: boolean }) => {
    const { api } = await connect(cli);
    const keys = await api.call("ssh.hostKeys", undefined);
    if (options.json) print(cli, plainJson({ hostKeys: keys }, 2));
    else if (keys.length === 0)
      print(cli, "No machine was reached over SSH yet. Add one: nexus targets add user@host");
    else showKeys(cli, keys);
  });
  const replace = targets
    .command("replace-host-key")
    .description(
      "put the key that a machine shows now in the place of the known one, which is never accepted again",
    )
    .argument("<host>", "as host-keys names it")
    .requiredOption("--old <fingerprint>", "of the known key")
    .requiredOption("--new <fingerprint>", "of the key that was refused, as you read it on the machine")
    .requiredOption("--reason <text>", "why it changed; for the audit")
    .option("-y, --yes", "do not ask");
  addJsonOption(replace).action(async (name: string, options: ReplaceOptions) => {
    const { api } = await connect(cli);
    const { old, new: next, reason, yes, json } = options;
    if (!yes && !(await confirm(cli, `Trust ${next} for ${plain(name)} from now on?`))) {
      print(cli, "Nothing was replaced.");
      return;
    }
    const key = await api.call("ssh.replaceHostKey", { name, old, new: next, reason });
    print(cli, json ? plainJson({ hostKey: key }, 2) : `${plain(name)} is known by ${plain(next)} now`);
  });
}

function showKeys(cli: Cli, keys: readonly SshHostKey[]): void {
  const rows = keys.flatMap(({ name, known, refused }) => [
    ...known.map(({ type, fingerprint }): Cell[] => [
      name,
      { text: "● known", ink: "green" },
      type,
      fingerprint,
    ]),
    ...(refused === null
      ? []
      : [[name, { text: "! refused", ink: "red" }, refused.type, refused.fingerprint] satisfies Cell[]]),
  ]);
  const columns = [
    { title: "HOST", cutTo: 12 },
    { title: "KEY" },
    { title: "TYPE" },
    { title: "FINGERPRINT" },
  ];
  print(cli, tableLines(columns, rows, { paint: cli.paint, columns: cli.columns }));
  if (keys.some(({ refused }) => refused !== null)) {
    note(
      cli,
      "A refused key is a machine that was set up anew, or somebody in between. Compare it on the machine, then:",
    );
    note(cli, "  nexus targets replace-host-key <host> --old <known> --new <refused> --reason <why>");
  }
}
