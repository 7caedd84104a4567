/** How people write the ways to machines: `tailscale=%n,direct,cloudflare=%n.example.com`. */
import { SSH_TRANSPORTS, type SshTransport } from "./api/ssh.ts";
import { NexusError } from "./errors.ts";
import { SSH_HOST } from "./ssh-names.ts";

const USAGE = `Write ${SSH_TRANSPORTS.join(", ")}, in the order to try, each with =name where the machine has another name there (%h: its address, %n: what it is called).`;

/**
 * @param machine what `%h` and `%n` stand for, as in ssh's own configuration.
 * @throws NexusError `bad_request`, with the word that is none.
 */
export function parseTransports(text: string, machine: { host: string; name: string }): SshTransport[] {
  return text.split(",").map((part) => {
    const [word = "", ...rest] = part.trim().split("=");
    const kind = SSH_TRANSPORTS.find((one) => one === word);
    if (kind === undefined) throw wrong(part);
    if (rest.length === 0) return { kind };
    const host = rest.join("=").replaceAll("%h", machine.host).replaceAll("%n", machine.name);
    if (!SSH_HOST.test(host)) throw wrong(part);
    return { kind, host };
  });
}

function wrong(part: string): NexusError {
  return new NexusError("bad_request", { detail: `${part.trim() || "Nothing"} is no transport. ${USAGE}` });
}
