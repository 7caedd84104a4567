import { once } from "node:events";
import { PROTOCOL_VERSION_MAX } from "@nexus/shared/protocol/limits";
import { readServerMessage } from "@nexus/shared/protocol/read-message";
import { type FuzzTarget, SERVICE_LIMITS } from "../engine/fuzz-target.ts";
import { SERVER_SCRIPTS, SERVER_TYPES } from "../seeds/server-sessions.ts";
import { type AgentHouse, openAgentHouse, type Visit } from "./agent-house.ts";
import { countsOf, frameOf, type Step, scriptOf, timesOf } from "./script-steps.ts";

const MIB = 1024 * 1024;
const INPUTS_PER_HOUSE = 200;
const NAMES = ["$running", "$ended", "$new1", "$new2", "$new3", "$job1", "$fresh"];

/** `{ begin, steps }`: what a server that holds the pinned key sends, in what order, to a real agent with jobs. */
export const agentTarget: FuzzTarget = {
  name: "agent",
  format: "json",
  bytesMax: 2 * MIB,
  limits: SERVICE_LIMITS,
  inputsPerOpen: INPUTS_PER_HOUSE,
  words: [
    ...SERVER_TYPES,
    ...NAMES,
    "$port",
    "adopt",
    "stop",
    "forget",
    "unclaimed",
    "wait",
    "close",
    "cut",
    "pause",
  ],
  seeds: SERVER_SCRIPTS,
  async open() {
    const house = await openAgentHouse();
    return { feed: (input) => feedAgent(house, input), close: () => house.close() };
  },
};

async function feedAgent(house: AgentHouse, input: Uint8Array): Promise<void> {
  const script = scriptOf(input);
  if (script === null) return;
  const { begin } = script;
  const visit = await house.visit(begin === "welcomed" || begin === "open" ? begin : "live");
  try {
    for (const step of script.steps) await play(house, visit, step);
    await settle(house, visit);
    house.judge(visit, await hasEnded(visit));
  } finally {
    await visit.agent.close();
  }
  await house.judgeHome();
}

async function play(house: AgentHouse, visit: Visit, step: Step): Promise<void> {
  const { connection, hello } = visit;
  const { ws, carrier } = connection;
  if (ws.readyState !== ws.OPEN) return;
  switch (step.do) {
    case "wait":
      return await settle(house, visit);
    case "close":
      return ws.close(1012);
    case "cut":
      return ws.terminate();
    case "pause":
      return ws.pause();
    case "resume":
      return ws.resume();
    case "revoke":
      if (hello !== null) connection.revoke(hello);
      visit.isRevoked = hello !== null;
      return;
  }
  if ("challenge" in step && hello === null) {
    connection.challenge();
    visit.hello = await Promise.race([connection.next("hello"), connection.closed.then(() => null)]).catch(
      () => null,
    );
  }
  if ("welcome" in step && visit.hello !== null) welcome(visit, step);
  const frame = frameOf(step, visit.names);
  for (let left = timesOf(step); left > 0 && ws.readyState === ws.OPEN; left -= 1) {
    if (frame !== null) {
      const read = readServerMessage({ data: frame, isBinary: true });
      if (read.ok) house.note(visit, read.message);
      ws.send(frame);
    }
    if (typeof step.text === "string") ws.send(step.text);
    if (typeof step.wire === "string") carrier.write(Buffer.from(step.wire, "latin1"));
  }
}

function hasEnded({ agent }: Visit): Promise<boolean> {
  const notYet = new Promise<false>((resolve) => setImmediate(resolve, false));
  return Promise.race([agent.finished.then(() => true), notYet]);
}

/** Signed as it is said: what the agent may take for the pinned server's word. */
function welcome(visit: Visit, step: Step): void {
  const { hello, connection } = visit;
  if (hello === null) return;
  const change = countsOf(step.welcome, ["generation", "heartbeatMs", "protocol"]);
  connection.welcome(hello, change);
  const { generation = hello.generation + 1, protocol = PROTOCOL_VERSION_MAX } = change;
  visit.isProven ||= protocol === PROTOCOL_VERSION_MAX && generation > hello.generation;
}

/** What was sent was read, or the connection is over. */
async function settle(house: AgentHouse, visit: Visit): Promise<void> {
  const { ws, closed } = visit.connection;
  ws.resume();
  if (ws.readyState === ws.OPEN) {
    const answered = once(ws, "pong").catch(() => undefined);
    ws.ping();
    await Promise.race([answered, closed]);
  }
  if (ws.readyState === ws.OPEN) await house.answered(visit);
}
