import type { Command } from "commander";
import { connect } from "../../api/connect.ts";
import { type Cli, print } from "../../cli.ts";
import { saveServer } from "../../config/cli-config.ts";
import { plain, plainJson } from "../../terminal/plain.ts";
import { addJsonOption } from "../common-options.ts";

export function addTargetsRename(targets: Command, cli: Cli): void {
  const command = targets
    .command("rename")
    .description("give a target another name")
    .argument("<target>", "its name or id")
    .argument("<name>", "the new name");
  addJsonOption(command).action(async (old: string, name: string, options: { json?: boolean }) => {
    const { api, target: chosen } = await connect(cli);
    const target = await api.call("targets.rename", { target: old, name });
    if (chosen === old)
      await saveServer(cli, (server) => ({ url: api.url, apiKey: "", ...server, target: target.name }));
    print(cli, options.json ? plainJson({ target }, 2) : `${plain(old)} is ${plain(target.name)} now`);
  });
}
