import type { EnrollToken } from "@nexus/shared/api/schemas";
import { NexusError } from "@nexus/shared/errors";
import type { Command } from "commander";
import type { Api } from "../../api/api.ts";
import { connect } from "../../api/connect.ts";
import { type Cli, note, print } from "../../cli.ts";
import { pairs } from "../../jobs/job-options.ts";
import { durationText } from "../../terminal/amounts.ts";
import { DAY_MS, parseCount, parseDurationMs, within } from "../../terminal/parse-amounts.ts";
import { plain, plainJson } from "../../terminal/plain.ts";
import { startSpinner } from "../../terminal/spinner.ts";
import { addJsonOption } from "../common-options.ts";

const POLL_MS = 1000;

type AddOptions = { label?: string[]; uses?: string; ttl?: string; wait: boolean; json?: boolean };

export function addTargetsAdd(targets: Command, cli: Cli): void {
  const command = targets
    .command("add")
    .description("let a machine in: prints the one command to run there, and waits for it to appear")
    .argument("[name]", "its name in the fleet (default: the machine's own)")
    .option("-l, --label <key=value>", "label it; repeatable", (value: string, before: string[] = []) => [
      ...before,
      value,
    ])
    .option("--uses <n>", "let this many machines in (default: 1)")
    .option("--ttl <time>", "how long the command works (default: 30m)")
    .option("--no-wait", "do not wait for the machine");
  addJsonOption(command).action(async (name: string | undefined, options: AddOptions) => {
    await addTarget(cli, name, options);
  });
}

async function addTarget(cli: Cli, name: string | undefined, options: AddOptions): Promise<void> {
  const { api } = await connect(cli);
  const { enrollToken, secret, command } = await api.call("enrollTokens.create", {
    labels: pairs(options.label ?? [], "--label"),
    ...(name === undefined ? {} : { name }),
    ...(options.uses === undefined ? {} : { usesMax: parseUses(options.uses) }),
    ...(options.ttl === undefined ? {} : { ttlMs: parseTtl(options.ttl) }),
  });
  if (options.json) print(cli, plainJson({ type: "token", enrollToken, secret, command }));
  else {
    const forMs = enrollToken.expiresAtMs - enrollToken.createdAtMs;
    note(cli, `Run this on the machine, within ${durationText(forMs)}:\n`);
    print(cli, plain(command));
    note(cli, "");
  }
  if (!options.wait) return;
  const target = await waitForTarget(cli, api, enrollToken);
  print(
    cli,
    options.json
      ? plainJson({ type: "target", target })
      : `${cli.paint("green", "✓")} ${plain(target.name)} is connected`,
  );
}

const parseUses = (text: string) => within(parseCount(text, "--uses"), "--uses", { min: 1, max: 10_000 });
const parseTtl = (text: string) =>
  within(parseDurationMs(text, "--ttl"), "--ttl", { min: 60_000, max: 30 * DAY_MS, show: durationText });

async function waitForTarget(cli: Cli, api: Api, { id }: EnrollToken) {
  const spinner = startSpinner(
    cli.stderr,
    "Waiting for the machine (Ctrl-C leaves; the command still works)",
  );
  try {
    for (;;) {
      const token = (await api.callAgain("enrollTokens.list", undefined)).find(
        (candidate) => candidate.id === id,
      );
      const came = token?.targets[0];
      if (came) {
        spinner.say(`${plain(came.name)} is enrolled; waiting for its agent to connect`);
        const { targets } = await api.callAgain("fleet.list", undefined);
        const target = targets.find((candidate) => candidate.id === came.id);
        if (target?.state === "connected") return target;
      } else if (token?.state === "revoked") throw new NexusError("token_revoked");
      else if (token?.state === "expired")
        throw new NexusError("token_expired", {
          detail: "No machine came in time. Make a new command: nexus targets add",
        });
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  } finally {
    spinner.stop();
  }
}
