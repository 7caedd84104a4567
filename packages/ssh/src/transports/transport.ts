import type { Credentials } from "../auth/credentials.ts";
import type { HostKeyVerifier } from "../host-keys/host-key-verifier.ts";

/** One way to a machine's sshd. They are tried in the user's order. */
export type Transport =
  | { kind: "direct"; host: string; port: number }
  /** Dialled where the tailnet's daemon has a network device, and by `tailscale nc` where it runs in user space. */
  | { kind: "tailscale"; host: string; port: number }
  /** By `cloudflared access ssh`. The service token travels in the environment, never on a command line. */
  | { kind: "cloudflare"; hostname: string; serviceToken?: { id: string; secret: string } }
  /** A command with its tokens filled in, run by `sh`. Only from the operator's own configuration. */
  | { kind: "proxy_command"; command: string }
  | { kind: "jump"; hops: readonly Hop[]; host: string; port: number };

/** Each hop is a machine of its own: its host key is verified, and it has its own log-in. */
export type Hop = {
  host: string;
  port: number;
  user: string;
  credentials: Credentials;
  verifier: HostKeyVerifier;
};

/** What the ways to a machine need of this one. */
export type TransportPrograms = {
  /** For the programs that carry: at least PATH and HOME. */
  env: Readonly<Record<string, string | undefined>>;
  tailscalePath?: string;
  cloudflaredPath?: string;
};

/** Names a way in health records, pool keys and messages. Holds no secret. */
export function describeTransport(transport: Transport): string {
  switch (transport.kind) {
    case "direct":
      return `direct ${transport.host}:${transport.port}`;
    case "tailscale":
      return `tailscale ${transport.host}:${transport.port}`;
    case "cloudflare":
      return `cloudflare ${transport.hostname}`;
    case "proxy_command":
      return `proxy ${transport.command.split(" ")[0]}`;
    case "jump": {
      const hops = transport.hops.map((hop) => `${hop.host}:${hop.port}`).join(" → ");
      return `${hops} → ${transport.host}:${transport.port}`;
    }
  }
}
