import { once } from "node:events";
import { connect } from "node:net";
import { isErrorCode } from "@nexus/shared/errors";
import { openTestSocket } from "../../../apps/web/src/server/api/testing/test-socket.ts";
import { BrokenPromise, type FuzzTarget, SERVICE_LIMITS } from "../engine/fuzz-target.ts";
import type { Json } from "../engine/mutate-json.ts";
import { LIVE_SCRIPTS } from "../seeds/live-sockets.ts";
import { type ApiHouse, NAMES, named, openApiHouse } from "./api-house.ts";
import { type Step, scriptOf, timesOf } from "./script-steps.ts";

const MIB = 1024 * 1024;
const INPUTS_PER_HOUSE = 300;
/** Small, so that a place that is not given back is soon missed. */
const STREAMS = { totalMax: 60, personMax: 40 };
const CALLS = { totalMax: 100, personMax: 80 };
const FLOOD_MAX = 500;
const PROBE = 990_001;
/** 1006: cut; the others are of the WebSocket itself, of who is signed out, and of a restart. */
const CLOSE_CODES = [1000, 1001, 1002, 1003, 1005, 1006, 1007, 1009, 1012, 4401];
/** They would take away what the house stands on. */
const NOT_HERE = /targets\.remove|members\.|apiKeys\./;

type LiveSocket = Awaited<ReturnType<typeof openTestSocket>>;

/** `{ steps }`: what a page sends over its live socket, or who asks for a tunnel. */
export const liveTarget: FuzzTarget = {
  name: "live",
  format: "json",
  bytesMax: 2 * MIB,
  limits: SERVICE_LIMITS,
  inputsPerOpen: INPUTS_PER_HOUSE,
  words: [
    ...["subscription", "subscription.stop", "query", "mutation", "connectionParams", "PING", "PONG"],
    ...["fleet.watch", "jobs.watch", "jobs.follow", "ssh.watch", "jobs.get", "lastEventId", "wait"],
    ...Object.values(NAMES),
  ],
  seeds: LIVE_SCRIPTS,
  async open() {
    const house = await openApiHouse({ limits: { streams: STREAMS, calls: CALLS } });
    const watcher = await openLive(house, { cookie: house.owner.cookie, origin: house.api.origin });
    // Who does not answer is taken for gone after 40 s.
    watcher.socket.on("message", (bytes) => {
      if (String(bytes) === "PING") watcher.socket.send("PONG");
    });
    watcher.send("subscription", "fleet.watch");
    await watcher.next(({ result }) => result?.type === "started");
    const bystander = { socket: watcher, changes: 0 };
    return {
      feed: (input) => feedLive(house, bystander, input),
      async close() {
        watcher.socket.terminate();
        await watcher.closed;
        await house.close();
      },
    };
  },
};

type Bystander = { socket: LiveSocket; changes: number };

async function feedLive(house: ApiHouse, bystander: Bystander, input: Uint8Array): Promise<void> {
  const script = scriptOf(input);
  if (script === null) return;
  const live = await openLive(house, { authorization: `Bearer ${house.owner.key}` });
  const received: string[] = [];
  live.socket.on("message", (bytes) => received.push(String(bytes)));
  for (const step of script.steps) {
    if (!NOT_HERE.test(JSON.stringify(step))) await play(house, live, { bystander, step });
  }
  await settle(live);
  judge(received);
  live.socket.close();
  const code = await live.closed;
  if (!CLOSE_CODES.includes(code)) throw new BrokenPromise(`closed with ${code}`);
  await change(house, bystander);
  await bystander.socket.next(({ result }) => isAbout(result?.data, `change-${bystander.changes}`));
  // What was refused may have changed nothing, but a page's calls may change what they like.
  await house.judge({ status: 200, text: "", isChange: true, input: null });
}

async function play(
  house: ApiHouse,
  live: LiveSocket,
  { bystander, step }: { bystander: Bystander; step: Step },
): Promise<void> {
  const { socket } = live;
  if (typeof step.tunnel === "string") return await askForTunnel(house, step);
  switch (step.do) {
    case "wait":
      return await settle(live);
    case "change":
      return await change(house, bystander);
    case "close":
      return socket.close();
    case "cut":
      return socket.terminate();
    case "pause":
      return socket.pause();
    case "resume":
      return socket.resume();
  }
  const flood = typeof step.flood === "number" ? Math.min(Math.max(1, step.flood), FLOOD_MAX) : 0;
  const carrier = socket as unknown as { _socket: { write(bytes: Uint8Array): void } | null };
  for (let at = 0; at < Math.max(flood, timesOf(step)) && socket.readyState === socket.OPEN; at += 1) {
    if ("send" in step)
      socket.send(JSON.stringify(numbered(named(step.send ?? null, house), flood > 0 ? at : null)));
    if (typeof step.text === "string") socket.send(step.text);
    if (typeof step.bytes === "string") socket.send(Buffer.from(step.bytes, "latin1"));
    if (typeof step.wire === "string") carrier._socket?.write(Buffer.from(step.wire, "latin1"));
  }
}

/** A flood is of calls that have nothing to do with each other. */
function numbered(message: Json, at: number | null): Json {
  if (at === null || typeof message !== "object" || message === null || Array.isArray(message))
    return message;
  return { ...message, id: at + 1_000 };
}

/** Waits while the places of the last input's socket are being given back. */
async function openLive(house: ApiHouse, headers: Record<string, string>): Promise<LiveSocket> {
  const url = `${house.api.origin.replace("http", "ws")}/ws/ui`;
  const live = await admitted(url, headers);
  for (let id = PROBE; ; id += 1) {
    live.socket.send(JSON.stringify({ id, method: "subscription", params: { path: "fleet.watch" } }));
    const answer = await live.next((message) => message.id === id);
    if (answer.error === undefined) {
      live.socket.send(JSON.stringify({ id, method: "subscription.stop" }));
      return live;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function admitted(url: string, headers: Record<string, string>): Promise<LiveSocket> {
  for (;;) {
    try {
      return await openTestSocket(url, headers);
    } catch (cause) {
      if (!String(cause).includes("429")) throw cause;
    }
  }
}

/** All that was asked so far is answered, or the socket is closed. */
async function settle({ socket, next, closed }: LiveSocket): Promise<void> {
  socket.resume();
  if (socket.readyState !== socket.OPEN) return;
  const id = 980_001 + Math.floor(performance.now());
  socket.send(JSON.stringify({ id, method: "query", params: { path: "me.get" } }));
  await Promise.race([next((message) => message.id === id).catch(() => undefined), closed]);
}

async function change(house: ApiHouse, bystander: Bystander): Promise<void> {
  bystander.changes += 1;
  const input = { target: house.names.target, labels: { mark: `change-${bystander.changes}` } };
  await house.api.call("targets.label", input, house.owner.key);
}

const isAbout = (data: unknown, mark: string): boolean => JSON.stringify(data ?? null).includes(mark);

function judge(received: string[]): void {
  for (const text of received) {
    if (text === "PING" || text === "PONG") continue;
    for (const { error } of [JSON.parse(text)].flat() as { error?: { data?: { nexusCode?: unknown } } }[]) {
      if (error === undefined) continue;
      const code = error.data?.nexusCode;
      if (!isErrorCode(code) || code === "internal")
        throw new BrokenPromise(`answered ${text.slice(0, 500)}`);
    }
  }
}

/** As an upgrade of its own: refused with a code of the table, as nothing of this house has a port to reach. */
async function askForTunnel(house: ApiHouse, step: Step): Promise<void> {
  const path = String(named(step.tunnel ?? "", house)).replace(/[^\x21-\x7e]/g, "");
  const bearer = String(named(step.bearer ?? "", house)).replace(/[^\x21-\x7e]/g, "");
  if (!path.startsWith("/ws/")) return;
  const { hostname, port } = new URL(house.api.origin);
  const socket = connect(Number(port), hostname);
  socket.on("error", () => undefined);
  const chunks: Buffer[] = [];
  socket.on("data", (chunk) => chunks.push(chunk));
  socket.end(
    Buffer.from(
      `GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n` +
        `sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nauthorization: Bearer ${bearer}\r\n\r\n${String(step.body ?? "")}`,
      "latin1",
    ),
  );
  await once(socket, "close");
  const [, status = ""] = /^HTTP\/1\.1 (\d+)/.exec(Buffer.concat(chunks).toString("latin1")) ?? [];
  if (status.startsWith("5") && status !== "503") throw new BrokenPromise(`a tunnel was answered ${status}`);
}
