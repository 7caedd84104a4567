import { existsSync } from "node:fs";
import type { InputOf } from "@nexus/shared/api/contract";
import { NexusError } from "@nexus/shared/errors";
import { isLoopbackOrigin } from "@nexus/shared/protocol/origin";
import { type Cli, note } from "../cli.ts";
import { askLine, confirm } from "../terminal/ask.ts";
import { plain } from "../terminal/plain.ts";
import { type Identity, readIdentity } from "./read-identity.ts";
import type { SshOptions } from "./ssh-options.ts";

type Credentials = NonNullable<InputOf<"ssh.start">["credentials"]>;

/**
 * What the control plane may log in with. Keys and passwords travel to it for this work and are not kept there. To a control plane on
 * another machine a key goes only when it was named, and over https only. A loopback address may be a forwarded port, so keys that
 * were not named are asked about there too.
 */
export async function gatherCredentials(
  cli: Cli,
  options: SshOptions,
  { url, usual, mayAsk }: { url: string; usual: readonly string[]; mayAsk: boolean },
): Promise<Credentials> {
  const isHere = isLoopbackOrigin(new URL(url).origin);
  const named = options.identity ?? [];
  const keys: Identity[] = [];
  for (const path of named) {
    const identity = await readIdentity(cli, path, { must: true });
    if (identity !== null) keys.push(identity);
  }
  if (named.length === 0 && isHere && !options.password) {
    for (const path of await agreedKeys(cli, url, usual)) {
      const identity = await readIdentity(cli, path, { must: false });
      if (identity !== null) keys.push(identity);
    }
  }
  const wantsPassword = options.password === true || (keys.length === 0 && mayAsk && cli.stdin.isTTY);
  const password = wantsPassword ? await askLine(cli, "Password on the machines: ", { isSecret: true }) : "";
  if (options.password && password === "")
    throw new NexusError("bad_request", { detail: "The password is empty." });
  const hasSecret = keys.length > 0 || password !== "";
  if (hasSecret && !isHere && !url.startsWith("https:")) {
    throw new NexusError("bad_request", {
      detail: `${url} is neither this machine nor https: keys and passwords are not sent there. Reach the control plane by https: nexus login https://…`,
    });
  }
  if (!hasSecret && mayAsk && cli.env.SSH_AUTH_SOCK !== undefined)
    throw new NexusError("bad_request", {
      detail:
        "The keys of your ssh-agent stay with it, and the control plane logs in by itself. Name a key file (--identity) or give a password (--password); or let the agent in by your own ssh: nexus targets add <name> prints the command to run there.",
    });
  if (!hasSecret && mayAsk && !isHere)
    note(cli, "No key was named (--identity) and no password given (--password).");
  return { keys, ...(password === "" ? {} : { password }) };
}

async function agreedKeys(cli: Cli, url: string, usual: readonly string[]): Promise<string[]> {
  const found = [...new Set(usual)].filter((path) => existsSync(path));
  if (found.length === 0) return [];
  if (!cli.stdin.isTTY) {
    note(cli, `Without a terminal no key is sent unasked. Name one: --identity ${found[0]}`);
    return [];
  }
  note(cli, `To log in, the control plane at ${url} would get these private keys, which it does not store:`);
  for (const path of found) note(cli, `  ${plain(path)}`);
  return (await confirm(cli, "Send them?")) ? found : [];
}
