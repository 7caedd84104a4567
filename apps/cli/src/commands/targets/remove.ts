import { NexusError } from "@nexus/shared/errors";
import { parseDestination } from "@nexus/ssh/config/host-settings";
import type { Command } from "commander";
import type { Api } from "../../api/api.ts";
import { connect } from "../../api/connect.ts";
import { type Cli, print } from "../../cli.ts";
import { gatherCredentials } from "../../ssh/credentials.ts";
import { followRun } from "../../ssh/follow-run.ts";
import { type ResolvedMachine, resolveMachine } from "../../ssh/resolve-machine.ts";
import { addSshOptions, type SshOptions } from "../../ssh/ssh-options.ts";
import { confirm } from "../../terminal/ask.ts";
import { plain, plainJson } from "../../terminal/plain.ts";
import { addJsonOption } from "../common-options.ts";

type RemoveOptions = SshOptions & { force?: boolean; uninstall?: boolean; yes?: boolean; json?: boolean };

export function addTargetsRemove(targets: Command, cli: Cli): void {
  const command = targets
    .command("remove")
    .alias("rm")
    .description("take a machine out of the fleet; its key is worth nothing afterwards")
    .argument("<target>", "its name or id; with --uninstall also user@host of a machine that left the fleet")
    .option("--force", "also while jobs run on it; they are given up")
    .option("--uninstall", "take the agent off the machine too, over SSH")
    .option("-y, --yes", "do not ask");
  addJsonOption(addSshOptions(command)).action(async (name: string, options: RemoveOptions) => {
    const { api } = await connect(cli);
    const isJson = options.json === true;
    if (name.includes("@")) {
      if (!options.uninstall)
        throw new NexusError("bad_request", {
          detail: `${name} is a machine, not a target: add --uninstall.`,
        });
      const { host, user, port } = parseDestination(name);
      const { host: found } = await resolveMachine({ alias: host, user, port }, { useConfig: true });
      if (!options.yes && !(await confirm(cli, `Take Nexus off ${plain(name)}?`)))
        print(cli, "Nothing was removed.");
      else await uninstall(cli, api, { options, hosts: [found] });
      return;
    }
    const target = await api.call("targets.get", { target: name });
    if (!options.yes && !(await confirm(cli, `Remove ${plain(target.name)} from the fleet?`))) {
      print(cli, "Nothing was removed.");
      return;
    }
    if (options.uninstall) {
      await uninstall(cli, api, { options, targets: [target.id] });
      return;
    }
    await api.call("targets.remove", { target: target.id, force: options.force === true });
    print(cli, isJson ? plainJson({ removed: target.id }) : `${plain(target.name)} was removed`);
  });
}

type Machines = { options: RemoveOptions; hosts?: ResolvedMachine["host"][]; targets?: string[] };

/** For a target the key that the control plane keeps may do; what the person names comes after it. */
async function uninstall(cli: Cli, api: Api, { options, hosts = [], targets = [] }: Machines): Promise<void> {
  const isJson = options.json === true;
  const mayAsk = targets.length === 0;
  const credentials = await gatherCredentials(cli, options, { url: api.url, usual: [], mayAsk });
  const { id } = await api.call("ssh.start", {
    act: "uninstall",
    hosts,
    targets,
    credentials,
    acceptHostKeys: options.acceptHostKey ?? [],
    canAsk: cli.stdin.isTTY === true && !isJson,
  });
  await followRun(cli, api, { id, isJson });
}
