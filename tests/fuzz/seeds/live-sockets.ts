import type { Json } from "../engine/mutate-json.ts";

/** What a page does with its live socket, step by step. */
const call = (id: Json, [method, path]: [string, string], input?: Json): Json => ({
  send: { id, jsonrpc: "2.0", method, params: input === undefined ? { path } : { path, input } },
});
/** As a client sends it: binary, masked with zeros. */
function frame(header: string, payload = ""): string {
  const length = header.length + payload.length + 4;
  return `\u0082${String.fromCharCode(0x80 | length)}\0\0\0\0\0\0\0${String.fromCharCode(header.length)}${header}${payload}`;
}
const watch = call(1, ["subscription", "fleet.watch"]);
const follow = call(2, ["subscription", "jobs.follow"], { job: "$job" });

export const LIVE_SCRIPTS: { steps: Json[] }[] = [
  { steps: [watch, { do: "change" }, { send: { id: 1, method: "subscription.stop" } }, watch] },
  { steps: [follow, call(3, ["subscription", "jobs.watch"]), { do: "change" }] },
  { steps: [call(1, ["query", "me.get"]), call(1, ["query", "jobs.list"], { limit: 3 }), { text: "PING" }] },
  { steps: [call(1, ["mutation", "targets.label"], { target: "$target", labels: { a: "b" } })] },
  { steps: [call(1, ["subscription", "ssh.watch"], { id: "sr_0000000000" }), { text: "{" }] },
  { steps: [{ send: [(call(1, ["query", "me.get"]) as { send: Json }).send, 1, null] }] },
  { steps: [{ send: { method: "connectionParams", data: { a: "b" } } }, watch] },
  { steps: [{ times: 200, ...(call(null, ["query", "me.get"]) as object) }] },
  { steps: [{ times: 100, ...(watch as object) }, { do: "change" }] },
  { steps: [{ flood: 100, ...(watch as object) }, { do: "change" }, { do: "cut" }] },
  { steps: [{ flood: 100, ...(follow as object) }, { do: "close" }] },
  {
    steps: [
      { do: "pause" },
      { flood: 300, ...(call(1, ["query", "fleet.list"]) as object) },
      { do: "resume" },
    ],
  },
  { steps: [{ bytes: "\0\0\0\u0002{}" }, { text: '{"id":1,"method":"query","params":{"path":"a.b"}}' }] },
  { steps: [{ wire: "\u0081\u0085\0\0\0\0hello" }, { wire: "\u00ff\u00ff\u00ff" }] },
  {
    steps: [
      {
        tunnel: "/ws/tunnel?target=$target",
        bearer: "$bearer",
        body: frame('{"type":"tunnel_open","tunnel":0,"host":"localhost","port":80}'),
      },
    ],
  },
  {
    steps: [
      {
        tunnel: "/ws/tunnel?target=$target&via=agent",
        bearer: "$bearer",
        body: frame('{"type":"tunnel_data","tunnel":0}', "x") + frame('{"type":"tunnel_end","tunnel":0}'),
      },
    ],
  },
  { steps: [{ tunnel: "/ws/tunnel?target=%00&via=ssh", bearer: "$bearer", body: frame("{") }] },
  { steps: [{ tunnel: "/ws/ui?team=$team", bearer: "x", body: "\u0081\u0080\0\0\0\0" }] },
];
