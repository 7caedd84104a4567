import type { EnrollToken } from "@nexus/shared/api/schemas";
import { durationText } from "@nexus/shared/duration-text";
import { NexusError } from "@nexus/shared/errors";
import type { Command } from "commander";
import type { Api } from "../../api/api.ts";
import { connect } from "../../api/connect.ts";
import { type Cli, note, print } from "../../cli.ts";
import { pairs } from "../../jobs/job-options.ts";
import { addSshOptions } from "../../ssh/ssh-options.ts";
import { DAY_MS, parseCount, parseDurationMs, within } from "../../terminal/parse-amounts.ts";
import { plain, plainJson } from "../../terminal/plain.ts";
import { startSpinner } from "../../terminal/spinner.ts";
import { addJsonOption } from "../common-options.ts";
import { type AddOverSshOptions, addOverSsh } from "./add-over-ssh.ts";

const POLL_MS = 1000;

type AddOptions = AddOverSshOptions & { ssh?: boolean; uses?: string; ttl?: string; wait: boolean };

export function addTargetsAdd(targets: Command, cli: Cli): void {
  const command = targets
    .command("add")
    .description(
      "let machines in: over SSH (user@host …), or by one command that it prints for you to run there",
    )
    .argument(
      "[machines...]",
      "user@host[:port] …, or without @ the name for the machine that runs the command",
    )
    .option("-l, --label <key=value>", "label it; repeatable", (value: string, before: string[] = []) => [
      ...before,
      value,
    ])
    .option("--uses <n>", "let this many machines in (default: 1)")
    .option("--ttl <time>", "how long the command works (default: 30m)")
    .option("--no-wait", "do not wait for the machine")
    .option("--ssh", "the machines are names of your ssh configuration")
    .option("--hosts <file>", "machines of a list or an Ansible inventory; - reads standard input")
    .option("--ssh-config <pattern>", "machines of your ssh configuration, by a pattern such as 'gpu*'")
    .option("--no-config", "do not ask your ssh configuration")
    .option("--name <name>", "over SSH: its name in the fleet (default: the machine's own)")
    .option("-p, --port <port>", "over SSH: where nothing else says it")
    .option("-J, --jump <hosts>", "over SSH: through these machines, with commas between them")
    .option(
      "--transport <list>",
      "over SSH: direct, tailscale, cloudflare, in the order to try, each with =name where the machine has another name there, as in tailscale=%n,direct (%h: address, %n: name; default: direct)",
    )
    .option("--legacy", "over SSH: offer weak algorithms too, for a machine that nobody can update")
    .option(
      "--agentless",
      "over SSH: put nothing on it but a key; jobs run over SSH, and are reported while the control plane reaches it",
    )
    .option("--allow-root", "over SSH: let jobs run as root, where you log in as root")
    .option(
      "--keep-key",
      "over SSH: make a key for each machine, kept by the control plane, to reach it without its agent",
    )
    .option("--replace-identity", "over SSH: take over a machine of another control plane")
    .option("--bring-node", "over SSH: bring a Node along also where there is one")
    .option("--gpus <driver>", "over SSH: NEXUS_GPUS of the agent, such as sim:2x80GiB");
  addJsonOption(addSshOptions(command)).action(async (machines: string[], options: AddOptions) => {
    const isSsh =
      options.ssh || options.hosts || options.sshConfig || machines.some((text) => text.includes("@"));
    if (isSsh) await addOverSsh(cli, machines, options);
    else if (machines.length > 1)
      throw new NexusError("bad_request", {
        detail: "One name at a time. For machines over SSH write user@host.",
      });
    else await addTarget(cli, machines[0], options);
  });
}

async function addTarget(cli: Cli, name: string | undefined, options: AddOptions): Promise<void> {
  const { api } = await connect(cli);
  const { enrollToken, secret, command, fromHere } = await api.call("enrollTokens.create", {
    labels: pairs(options.label ?? [], "--label"),
    ...(name === undefined ? {} : { name }),
    ...(options.uses === undefined ? {} : { usesMax: parseUses(options.uses) }),
    ...(options.ttl === undefined ? {} : { ttlMs: parseTtl(options.ttl) }),
  });
  if (options.json) print(cli, plainJson({ type: "token", enrollToken, secret, command, fromHere }));
  else {
    const forMs = enrollToken.expiresAtMs - enrollToken.createdAtMs;
    note(cli, `Run this on the machine, within ${durationText(forMs)}:\n`);
    if (fromHere) {
      print(cli, plain(fromHere.command));
      note(
        cli,
        cli.paintErr("dim", `\n(SHA-256 ${fromHere.sha256}) or, where npx has the published package:\n`),
      );
    }
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
  if (!cli.stderr.isTTY) {
    note(
      cli,
      "Waiting for it to connect; Ctrl-C leaves, --no-wait does not wait, and the command still works.",
    );
  }
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
