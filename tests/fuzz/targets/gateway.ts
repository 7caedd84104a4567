import { type FuzzTarget, SERVICE_LIMITS } from "../engine/fuzz-target.ts";
import { NODE_SCRIPTS, NODE_TYPES } from "../seeds/node-sessions.ts";
import { type FuzzedNode, type GatewayHouse, openGatewayHouse, SPOKEN } from "./gateway-house.ts";
import { countsOf, frameOf, type Step, scriptOf, timesOf } from "./script-steps.ts";

const MIB = 1024 * 1024;
/** Each leaves three jobs in the tables that are looked through. */
const INPUTS_PER_HOUSE = 300;
const NAMES = ["$running", "$ended", "$sent", "$other", "$generation", "$node", "$gpu", "$otherGpu"];

/** `{ begin, steps }`: what a node that holds its key sends, in what order, on the real gateway. */
export const gatewayTarget: FuzzTarget = {
  name: "gateway",
  format: "json",
  bytesMax: 2 * MIB,
  limits: SERVICE_LIMITS,
  inputsPerOpen: INPUTS_PER_HOUSE,
  words: [
    ...NODE_TYPES,
    ...NAMES,
    "cancel",
    "wait",
    "close",
    "cut",
    "second",
    "tunnel",
    "welcomed",
    "challenged",
  ],
  seeds: NODE_SCRIPTS,
  async open() {
    const house = await openGatewayHouse();
    return { feed: (input) => feedSession(house, input), close: () => house.close() };
  },
};

async function feedSession(house: GatewayHouse, input: Uint8Array): Promise<void> {
  const script = scriptOf(input);
  if (script === null) return;
  const { begin } = script;
  const node = await house.begin(begin === "welcomed" || begin === "challenged" ? begin : "live");
  try {
    await playScript(house, node, script.steps);
    await house.recover(node);
  } finally {
    node.socket.ws.terminate();
  }
}

async function playScript(house: GatewayHouse, node: FuzzedNode, steps: Step[]): Promise<void> {
  let isOurEnd = false;
  for (const step of steps) {
    isOurEnd ||= step.do === "close" || step.do === "cut";
    await play(house, node, step);
  }
  await house.settle(node.socket);
  await house.judge(node, isOurEnd);
}

async function play(house: GatewayHouse, node: FuzzedNode, step: Step): Promise<void> {
  const { socket } = node;
  switch (step.do) {
    case "wait":
      return await house.settle(socket);
    case "cancel":
      return await house.cancelAll();
    case "tunnel":
      return house.askForTunnel();
    case "close":
      return socket.ws.close();
    case "cut":
      return socket.ws.terminate();
    case "second": {
      const second = await house.openTestSocket();
      await second.hello(node.identity, SPOKEN);
      second.ws.close();
      return;
    }
  }
  if ("hello" in step) await sayHello(node, step);
  const frame = frameOf(step, node.names);
  for (let left = timesOf(step); left > 0 && socket.ws.readyState === socket.ws.OPEN; left -= 1) {
    if (frame !== null) socket.ws.send(frame);
    if (typeof step.text === "string") socket.ws.send(step.text);
    if (typeof step.wire === "string") socket.carrier?.write(Buffer.from(step.wire, "latin1"));
  }
}

/** One that its key signs, and what was changed in it. */
async function sayHello({ socket, identity }: FuzzedNode, step: Step): Promise<void> {
  const change = countsOf(step.hello, ["protocolMin", "protocolMax", "protocol", "generation"]);
  // The one challenge may be answered several times.
  const challenge = socket.received.find((message) => message.type === "challenge");
  if (challenge === undefined || socket.ws.readyState !== socket.ws.OPEN) return;
  await socket.hello(identity, { ...SPOKEN, ...change }, challenge);
}
