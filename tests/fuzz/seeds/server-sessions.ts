import type { ServerMessage } from "@nexus/shared/protocol/messages";
import type { Json } from "../engine/mutate-json.ts";

/** What a server that holds the pinned key does, step by step; `$…` are the names of the house. */
export type ServerScript = { begin: "live" | "welcomed" | "open"; steps: Json[] };

const running = "$running";
const ended = "$ended";
const job = (attempt: string, command: string[]) => ({
  ...{ attempt, fence: 1, job: attempt.replace("$new", "$job"), command },
  env: { A: "b", NEXUS_MASK: "A" },
  ...{ cwd: null, gpus: ["GPU-1"], timeoutMs: 60_000, graceMs: 50 },
});
const start = { type: "start", jobs: [job("$new1", ["sh", "-c", "echo hi"]), job("$new2", ["true"])] };
const sleeper = { type: "start", jobs: [job("$new3", ["sleep", "1000"])] };
const stop = { type: "stop", attempt: "$new3", fence: 1, reason: "cancelled", graceMs: 20 };
const forget = { type: "forget", attempts: [ended, "$new1", "$new2"] };
const wish = (attempt: string, want: string) => ({ attempt, fence: 1, want, logBytes: 0 });
const sync = { type: "sync", attempts: [wish(running, "adopt"), wish(ended, "adopt")] };
const ack = { type: "log_ack", attempt: ended, logBytes: 3, rewind: true, again: true };
const tunnel = { type: "tunnel_open", tunnel: 3, host: "localhost", port: "$port" };
const say = (message: object, payload = ""): Json => ({ send: message as Json, payload });

export const SERVER_TYPES: ServerMessage["type"][] = [
  "challenge",
  "welcome",
  "refuse",
  "sync",
  "start",
  "stop",
  "forget",
  "log_ack",
  "heartbeat",
  "tunnel_open",
  "tunnel_data",
  "tunnel_credit",
  "tunnel_end",
  "tunnel_reset",
];

export const SERVER_SCRIPTS: ServerScript[] = [
  { begin: "live", steps: [say(start), { do: "wait" }, say(start), say(forget)] },
  { begin: "live", steps: [say(sleeper), say(stop), say(sleeper), say(forget)] },
  { begin: "live", steps: [say(stop), say(sleeper), { do: "wait" }] },
  { begin: "live", steps: [say({ type: "forget", attempts: [running, ended] }), say(ack)] },
  { begin: "live", steps: [say(ack), say({ ...ack, logBytes: 9_000, rewind: false }), say(ack)] },
  { begin: "live", steps: [say({ ...stop, attempt: running, graceMs: 5_000 }), say(sync)] },
  { begin: "live", steps: [say({ type: "sync", attempts: [wish(running, "stop"), wish(ended, "forget")] })] },
  { begin: "live", steps: [say({ type: "sync", attempts: [wish(running, "unclaimed")] }), say(sync)] },
  { begin: "live", steps: [{ times: 300, ...(say({ type: "heartbeat", seq: 1 }) as object) }] },
  { begin: "live", steps: [{ times: 300, ...(say({ ...stop, attempt: "$fresh" }) as object) }] },
  { begin: "live", steps: [{ do: "pause" }, { times: 50, ...(say(start) as object) }, { do: "resume" }] },
  {
    begin: "live",
    steps: [
      say(tunnel),
      say({ type: "tunnel_data", tunnel: 3 }, "hello"),
      say({ type: "tunnel_credit", tunnel: 3, bytes: 261 }),
      say({ type: "tunnel_end", tunnel: 3 }),
    ],
  },
  {
    begin: "live",
    steps: [say(tunnel), say({ ...tunnel, tunnel: 4, port: 22 }), say(tunnel), { do: "cut" }],
  },
  {
    begin: "live",
    steps: [
      say(tunnel),
      { times: 20, ...(say({ type: "tunnel_data", tunnel: 3 }, "x".repeat(50_000)) as object) },
      say({ type: "tunnel_reset", tunnel: 3, code: "unavailable", message: "cut" }),
    ],
  },
  { begin: "live", steps: [say(sleeper), { do: "close" }] },
  { begin: "live", steps: [say(start), { do: "cut" }] },
  { begin: "live", steps: [{ do: "revoke" }] },
  {
    begin: "live",
    steps: [
      say({ type: "refuse", code: "node_revoked", message: "m", retryAfterMs: 9e9, signature: "AAAA" }),
      say(start),
    ],
  },
  { begin: "live", steps: [{ text: "text" }, say(start)] },
  { begin: "live", steps: [{ bytes: "\0\0\0\u0002{}" }, say(start)] },
  { begin: "live", steps: [{ wire: "\u0082\u0005\0\0\0\u0001{" }, { wire: "\u00ff\u00ff\u00ff" }] },
  { begin: "welcomed", steps: [say(start), say(sync), say(stop), { do: "wait" }] },
  { begin: "open", steps: [say(start), say(stop)] },
  { begin: "open", steps: [{ challenge: {} }, say(start)] },
  { begin: "open", steps: [{ challenge: {} }, { welcome: { generation: 0 } }, say(start)] },
  { begin: "open", steps: [{ challenge: {} }, { welcome: { protocol: 2 } }, say(sync), say(start)] },
  { begin: "open", steps: [{ challenge: {} }, { welcome: { heartbeatMs: 0 } }, say(sync), say(start)] },
  {
    begin: "open",
    steps: [
      say({ type: "challenge", serverNonce: "AAAA", protocolMin: 7, protocolMax: 9 }),
      say({ type: "welcome", protocol: 1, generation: 4, heartbeatMs: 5_000, signature: "AAAA" }),
      say(start),
    ],
  },
];
