/**
 * A real agent, its launcher, supervisors and jobs, against the server that it has pinned. Owns all of it. Each input meets an agent that
 * was just started on the home that the last one left; it has a job that runs and one that ended, and whose log is not stored.
 */
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Hello } from "@nexus/shared/protocol/handshake";
import {
  type AttemptInventory,
  agentMessageSchema,
  type JobStart,
  type ServerMessage,
} from "@nexus/shared/protocol/messages";
import { type Agent, createAgent } from "../../../apps/agent/src/agent.ts";
import { openProcessTable, readBootId } from "../../../apps/agent/src/exec/process-table.ts";
import { BASE_ENV, testHome } from "../../../apps/agent/src/exec/testing/test-home.ts";
import { createNoneDriver } from "../../../apps/agent/src/gpu/driver.ts";
import { readGeneration } from "../../../apps/agent/src/link/generation-file.ts";
import { writeIdentity } from "../../../apps/agent/src/link/identity-store.ts";
import {
  type NodeConnection,
  startPinnedServer,
} from "../../../apps/agent/src/link/testing/pinned-server.ts";
import { BrokenPromise } from "../engine/fuzz-target.ts";

export type AgentHouse = Awaited<ReturnType<typeof openAgentHouse>>;

export type Visit = {
  agent: Agent;
  connection: NodeConnection;
  hello: Hello | null;
  names: Record<string, string | number>;
  /** The server has proven itself in this connection. */
  isProven: boolean;
  isRevoked: boolean;
};

/** All that a job can call, so that nothing it makes of its words does harm. */
const PROGRAMS = ["sh", "true", "sleep", "echo"];

export async function openAgentHouse() {
  const test = testHome(mkdtempSync(join(tmpdir(), "nexus-fuzz-agent-")));
  const home = test.path;
  const programs = join(home, "programs");
  mkdirSync(programs);
  for (const name of PROGRAMS) symlinkSync(join("/bin", name), join(programs, name));
  const server = await startPinnedServer();
  const service = await startService();
  // Nothing else of this machine is reached through the node.
  writeFileSync(join(home, "policy.json"), JSON.stringify({ tunnels: { ports: [service.port] } }));
  const identity = server.identity();
  await writeIdentity(home, identity);
  const identityText = readFileSync(join(home, "identity.json"), "utf8");
  const attempts = join(home, "attempts");
  const table = openProcessTable();
  /** What was rightly ordered of this node, ever. */
  const ordered = new Map<string, JobStart>();
  const stopped = new Set<string>();
  let running: { attempt: string; pid: number } | null = null;
  let ended: string | null = null;
  let made = 0;

  const startOf = (command: string[]): JobStart => ({
    ...{ attempt: nextId("a"), job: nextId("j"), fence: 1, command, env: {}, cwd: null, gpus: [] },
    ...{ timeoutMs: null, graceMs: 20 },
  });
  function nextId(kind: string): string {
    made += 1;
    return `${kind}_fz${process.pid.toString(36)}x${made.toString(36)}`;
  }

  async function openAgent(): Promise<Agent> {
    const agent = await createAgent({
      ...{ home, identity, generation: await readGeneration(home), agentVersion: "1", bootId: readBootId() },
      baseEnv: { ...BASE_ENV, PATH: programs, HOME: home },
      driver: createNoneDriver(null),
      onState: () => undefined,
      onTrouble: () => undefined,
      onAttempts: () => undefined,
      nowMs: () => performance.now(),
      random: () => 0,
    });
    agent.start();
    return agent;
  }

  function order(visit: Visit, message: ServerMessage): void {
    visit.connection.send(message);
    note(visit, message);
  }

  /** What a proven server says in a whole message is the agent's to obey. */
  function note(visit: Visit, message: ServerMessage): void {
    if (!visit.isProven) return;
    if (message.type === "stop") stopped.add(message.attempt);
    if (message.type === "sync")
      for (const { attempt, want } of message.attempts) if (want === "stop") stopped.add(attempt);
    if (message.type !== "start") return;
    for (const job of message.jobs) if (!ordered.has(job.attempt)) ordered.set(job.attempt, job);
  }

  /** A good server: it wants the one that runs, has the log of the last, and lets go of all else. */
  async function tidy(visit: Visit, held: AttemptInventory[]): Promise<void> {
    const wants = held.map(({ attempt, fence, state }) => {
      const isWanted = attempt === running?.attempt || attempt === ended;
      const want = isWanted
        ? ("adopt" as const)
        : state === "exited"
          ? ("forget" as const)
          : ("stop" as const);
      return { attempt, fence, want, logBytes: 0 };
    });
    order(visit, { type: "sync", attempts: wants });
    const isRunning = held.some(({ attempt, state }) => attempt === running?.attempt && state === "running");
    if (!isRunning) running = await begin(visit, ["sleep", "1000"]);
    if (held.some(({ attempt, state }) => attempt === ended && state === "exited")) return;
    const next = await begin(visit, ["echo", "0123456789"]);
    ended = next.attempt;
    for (;;) {
      const { attempts: exits } = await visit.connection.next("exited");
      if (exits.some(({ attempt }) => attempt === ended)) break;
    }
  }

  async function begin(visit: Visit, command: string[]): Promise<{ attempt: string; pid: number }> {
    const job = startOf(command);
    order(visit, { type: "start", jobs: [job] });
    for (;;) {
      const { attempts: begun } = await visit.connection.next("started");
      const own = begun.find(({ attempt }) => attempt === job.attempt);
      if (own !== undefined) return { attempt: job.attempt, pid: own.pid };
    }
  }

  return {
    note,
    async visit(phase: "live" | "welcomed" | "open"): Promise<Visit> {
      const agent = await openAgent();
      const visit: Visit = {
        agent,
        connection: await server.accept(),
        ...{ hello: null, isProven: false, isRevoked: false },
        names: {
          ...{ running: running?.attempt ?? "a_0", ended: ended ?? "a_1", fresh: nextId("a") },
          port: service.port,
          ...{ new1: nextId("a"), new2: nextId("a"), new3: nextId("a") },
          ...{ job1: nextId("j"), job2: nextId("j"), job3: nextId("j") },
        },
      };
      if (phase === "open") return visit;
      await this.greet(visit);
      visit.connection.welcome(visit.hello as Hello);
      visit.isProven = true;
      const { attempts: held } = await visit.connection.next("inventory");
      if (phase === "welcomed") return visit;
      await tidy(visit, held);
      Object.assign(visit.names, { running: running?.attempt, ended });
      return visit;
    },
    /** Orders are worked on in their order: when the last is refused, all before it were taken or refused. */
    async answered(visit: Visit): Promise<void> {
      const { connection } = visit;
      if (!connection.received.some(({ type }) => type === "inventory")) return;
      const job = startOf(["/nowhere"]);
      order(visit, { type: "start", jobs: [job] });
      for (;;) {
        const exited = await Promise.race([connection.next("exited"), connection.closed]).catch(
          () => undefined,
        );
        if (exited === undefined || exited.attempts.some(({ attempt }) => attempt === job.attempt)) return;
      }
    },
    async greet(visit: Visit): Promise<void> {
      visit.connection.challenge();
      visit.hello = await visit.connection.next("hello");
    },
    /** @throws BrokenPromise for what an agent must not say or do, whoever asks. */
    judge(visit: Visit, hasEnded: boolean): void {
      if (hasEnded && !visit.isRevoked) throw new BrokenPromise("the agent ended, and nobody signed for it");
      for (const message of visit.connection.received) {
        const parsed = agentMessageSchema.safeParse(message);
        if (!parsed.success)
          throw new BrokenPromise(
            `the agent sent what is no message: ${JSON.stringify(message).slice(0, 300)}`,
          );
        if (!visit.isProven && message.type !== "hello")
          throw new BrokenPromise(`told ${message.type} to who had proven nothing`);
      }
      const known = visit.agent.attempts().map(({ attempt }) => attempt);
      const odd = known.find((attempt) => !ordered.has(attempt));
      if (odd !== undefined) throw new BrokenPromise(`took ${odd}, which nobody had rightly ordered`);
      if (running !== null && !stopped.has(running.attempt) && !known.includes(running.attempt))
        throw new BrokenPromise("the running job was forgotten");
    },
    /** What the agent left behind when it was closed. */
    async judgeHome(): Promise<void> {
      await service.left();
      for (const name of readdirSync(attempts)) {
        const [stem = ""] = name.split(".");
        if (!ordered.has(stem)) throw new BrokenPromise(`left ${name}, which nobody had rightly ordered`);
      }
      if (readFileSync(join(home, "identity.json"), "utf8") !== identityText)
        throw new BrokenPromise("the identity changed");
      if (running === null || stopped.has(running.attempt)) return;
      if (table.startTimeOf(running.pid) === null)
        throw new BrokenPromise("the running job ended, and nobody had stopped it");
      if (!existsSync(join(attempts, `${running.attempt}.log`)))
        throw new BrokenPromise("the running job's log is gone");
    },
    async close(): Promise<void> {
      server.close();
      service.close();
      await test.end();
    },
  };
}

/** What tunnels may lead to: it says again what it hears. */
async function startService() {
  const sockets = new Set<Socket>();
  let onLeft: () => void = () => undefined;
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => {
      sockets.delete(socket);
      if (sockets.size === 0) onLeft();
    });
    socket.pipe(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    /** Nobody is connected any more. */
    async left(): Promise<void> {
      if (sockets.size === 0) return;
      await new Promise<void>((resolve) => {
        onLeft = resolve;
      });
    },
    close: () => void server.close(),
  };
}
