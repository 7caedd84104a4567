import type { Command } from "commander";
import { connect } from "../../api/connect.ts";
import { type Cli, print } from "../../cli.ts";
import { confirm } from "../../terminal/ask.ts";
import { plain, plainJson } from "../../terminal/plain.ts";
import { addJsonOption } from "../common-options.ts";

type RemoveOptions = { force?: boolean; yes?: boolean; json?: boolean };

export function addTargetsRemove(targets: Command, cli: Cli): void {
  const command = targets
    .command("remove")
    .alias("rm")
    .description("take a machine out of the fleet; its key is worth nothing afterwards")
    .argument("<target>", "its name or id")
    .option("--force", "also while jobs run on it; they are given up")
    .option("-y, --yes", "do not ask");
  addJsonOption(command).action(async (name: string, options: RemoveOptions) => {
    const { api } = await connect(cli);
    const target = await api.call("targets.get", { target: name });
    if (!options.yes && !(await confirm(cli, `Remove ${plain(target.name)} from the fleet?`))) {
      print(cli, "Nothing was removed.");
      return;
    }
    await api.call("targets.remove", { target: target.id, force: options.force === true });
    print(cli, options.json ? plainJson({ removed: target.id }) : `${plain(target.name)} was removed`);
  });
}
