import { once } from "node:events";
import { connect } from "node:net";
import { BrokenPromise, type FuzzTarget, SERVICE_LIMITS } from "../engine/fuzz-target.ts";
import { NODE_TYPES } from "../seeds/node-sessions.ts";
import { STRANGER_SCRIPTS } from "../seeds/strangers.ts";
import { difference } from "./api-house.ts";
import { type GatewayHouse, openGatewayHouse } from "./gateway-house.ts";
import { frameOf, type Step, scriptOf, timesOf } from "./script-steps.ts";

const MIB = 1024 * 1024;
const INPUTS_PER_HOUSE = 500;
const RAW_MS = 5_000;

/** `{ steps }`: what anybody can send to the agents' door, without the key of a node. */
export const handshakeTarget: FuzzTarget = {
  name: "handshake",
  format: "json",
  bytesMax: 2 * MIB,
  limits: SERVICE_LIMITS,
  inputsPerOpen: INPUTS_PER_HOUSE,
  words: [...NODE_TYPES, "$node", "$otherNode", "$origin", "challenge", "welcome", "wait", "close", "cut"],
  seeds: STRANGER_SCRIPTS,
  async open() {
    const house = await openGatewayHouse();
    return { feed: (input) => feedStranger(house, input), close: () => house.close() };
  },
};

async function feedStranger(house: GatewayHouse, input: Uint8Array): Promise<void> {
  const script = scriptOf(input);
  if (script === null) return;
  const before = await house.tables();
  const calls = house.underWay.calls;
  calls.length = 0;
  const node = await house.stranger();
  let isOurEnd = false;
  for (const step of script.steps) {
    isOurEnd ||= step.do === "close" || step.do === "cut";
    await play(house, node, step);
  }
  await house.settle(node.socket);
  const odd = calls.find((name) => !["verifyHello", "seen", "revoked"].includes(name));
  if (odd !== undefined) throw new BrokenPromise(`a stranger reached ${odd}`);
  const after = await house.tables();
  if (after !== before) throw new BrokenPromise(`a stranger changed ${difference(before, after)}`);
  await house.judge(node, isOurEnd);
  node.socket.ws.terminate();
  await node.socket.closed;
}

async function play(
  house: GatewayHouse,
  { socket, names }: Awaited<ReturnType<GatewayHouse["stranger"]>>,
  step: Step,
): Promise<void> {
  const { ws, carrier } = socket;
  if (typeof step.raw === "string") return await sayRaw(house.origin, step.raw);
  switch (step.do) {
    case "wait":
      return await house.settle(socket);
    case "close":
      return ws.close();
    case "cut":
      return ws.terminate();
  }
  const frame = frameOf(step, names);
  for (let left = timesOf(step); left > 0 && ws.readyState === ws.OPEN; left -= 1) {
    if (frame !== null) ws.send(frame);
    if (typeof step.text === "string") ws.send(step.text);
    if (typeof step.wire === "string") carrier?.write(Buffer.from(step.wire, "latin1"));
  }
}

/** Bytes on a connection of their own, from the first on. */
async function sayRaw(origin: string, bytes: string): Promise<void> {
  const { hostname, port } = new URL(origin);
  const socket = connect(Number(port), hostname);
  socket.on("error", () => undefined);
  socket.on("data", () => undefined);
  socket.setTimeout(RAW_MS, () => socket.destroy());
  socket.end(Buffer.from(bytes, "latin1"));
  await once(socket, "close");
}
