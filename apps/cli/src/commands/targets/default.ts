import { NexusError } from "@nexus/shared/errors";
import type { Command } from "commander";
import { connect } from "../../api/connect.ts";
import { type Cli, print } from "../../cli.ts";
import { saveServer } from "../../config/cli-config.ts";
import { plain, plainJson } from "../../terminal/plain.ts";
import { addJsonOption } from "../common-options.ts";

export function addTargetsDefault(targets: Command, cli: Cli): void {
  const command = targets
    .command("default")
    .description("where your jobs go when you name no target")
    .argument("[name]", "the target (default: show the present one)")
    .option("--clear", "let the scheduler choose again");
  addJsonOption(command).action(
    async (name: string | undefined, options: { clear?: boolean; json?: boolean }) => {
      const { api, target: present } = await connect(cli);
      let chosen = present;
      if (options.clear) chosen = undefined;
      else if (name !== undefined) chosen = (await api.call("targets.get", { target: name })).name;
      if (chosen !== present) {
        await saveServer(cli, (server) => {
          if (!server)
            throw new NexusError("invalid_state", {
              detail: "Sign in first: nexus login. (NEXUS_URL alone keeps no settings.)",
            });
          const { target: _before, ...rest } = server;
          return chosen === undefined ? rest : { ...rest, target: chosen };
        });
      }
      if (options.json) print(cli, plainJson({ target: chosen ?? null }));
      else print(cli, chosen === undefined ? "The scheduler chooses." : plain(chosen));
    },
  );
}
