import type { Command } from "commander";
import { connect } from "../../api/connect.ts";
import { type Cli, print } from "../../cli.ts";
import { plain, plainJson } from "../../terminal/plain.ts";
import { addJsonOption } from "../common-options.ts";

/** `cordon` and `uncordon`. */
export function addTargetsCordon(targets: Command, cli: Cli): void {
  const cordon = targets
    .command("cordon")
    .description("start no more jobs on a target")
    .argument("<target>", "its name or id")
    .option("--drain", "until the jobs on it have ended, for maintenance");
  addJsonOption(cordon).action(async (target: string, options: { drain?: boolean; json?: boolean }) => {
    await set(target, { cordoned: true, drain: options.drain === true, isJson: options.json === true });
  });
  const uncordon = targets
    .command("uncordon")
    .description("let a target take jobs again")
    .argument("<target>", "its name or id");
  addJsonOption(uncordon).action(async (target: string, options: { json?: boolean }) => {
    await set(target, { cordoned: false, drain: false, isJson: options.json === true });
  });

  async function set(
    name: string,
    change: { cordoned: boolean; drain: boolean; isJson: boolean },
  ): Promise<void> {
    const { api } = await connect(cli);
    const { cordoned, drain, isJson } = change;
    const target = await api.call("targets.cordon", { target: name, cordoned, drain });
    if (isJson) print(cli, plainJson({ target }, 2));
    else print(cli, `${plain(target.name)} ${cordoned ? "takes no new jobs" : "takes jobs again"}`);
  }
}
