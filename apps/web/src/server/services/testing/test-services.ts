/**
 * The services on a real Postgres and real log files, with nodes whose side of the socket a test plays: it sees every frame
 * that was sent to them, and says what it likes.
 */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type JobSpecInput, jobSpecSchema } from "@nexus/shared/api/schemas";
import { newId } from "@nexus/shared/ids";
import type {
  AttemptExit,
  AttemptInventory,
  GpuFacts,
  GpuSample,
  HostFacts,
  JobStart,
  NodeFault,
  ServerMessage,
} from "@nexus/shared/protocol/messages";
import { DEFAULT_POLICY } from "../../core/scheduler/snapshot.ts";
import { createTestDatabase, type TestDatabase } from "../../db/testing/test-database.ts";
import { createSegmentLogStore } from "../../logs/segment-log-store.ts";
import { createServices } from "../create-services.ts";
import { createEventBus } from "../event-bus.ts";
import type { EventBus, Hub, LogStore, NodeSession, Principal } from "../ports.ts";
import { DEFAULT_TIMING, type ServiceTiming } from "../service-context.ts";
import type { Services } from "../services.ts";
import { type TestTerm, takeTestTerm } from "../term/testing/test-term.ts";

export type TestServices = {
  services: Services;
  events: EventBus;
  logs: LogStore;
  db: TestDatabase;
  alice: Principal;
  bob: Principal;
  /** Moves the services' clock. */
  clock: { skewMs: number };
  /** Problems that were logged. */
  problems: string[];
  addTarget(name: string, over?: { gpus?: GpuFacts[]; labels?: Record<string, string> }): Promise<TestNode>;
  submit(
    spec: JobSpecInput,
    over?: { principal?: Principal; submitKey?: string; immediate?: boolean },
  ): Promise<string>;
  /** Waits for what the events announce. */
  until<T>(look: () => Promise<T | null | undefined | false> | T | null | undefined | false): Promise<T>;
  /** As after `kill -9`: a new process on the same database and files, nobody connected. */
  restart(meanwhile?: () => Promise<void>): Promise<void>;
  close(): Promise<void>;
};

/** A node as the server meets it. */
export type TestNode = {
  session: NodeSession;
  sent: ServerMessage[];
  connect(
    attempts?: AttemptInventory[],
    faults?: NodeFault[],
    facts?: Partial<HostFacts>,
  ): Promise<ServerMessage[]>;
  disconnect(): Promise<void>;
  /** Whether frames reach it. */
  setStuck(isStuck: boolean): void;
  starts(): JobStart[];
  /** The start frame of a job, once it was sent. */
  startOf(job: string): Promise<JobStart>;
  started(start: JobStart, over?: { pid?: number; fence?: number }): Promise<void>;
  exited(start: Pick<JobStart, "attempt" | "fence">, over?: Partial<AttemptExit>): Promise<ServerMessage[]>;
  log(start: Pick<JobStart, "attempt" | "fence">, offset: number, text: string): Promise<ServerMessage[]>;
  faults(faults: NodeFault[]): void;
  sample(samples: GpuSample[], agoMs?: number, disk?: { diskFreeMib: number; diskTotalMib?: number }): void;
};

const TEST_FACTS: HostFacts = {
  hostname: "box",
  os: "Debian 12",
  kernel: "6.1",
  arch: "x64",
  cpuModel: "Xeon",
  cpuCount: 8,
  memoryTotalMib: 64_000,
  user: "nexus",
  bootId: "boot-1",
  agentVersion: "0.1.0",
  nodeVersion: "24.0.0",
  gpuDriver: "none",
  gpuDriverVersion: null,
  gpuProblem: null,
};

export function simulatedGpus(count: number, name = "NVIDIA H100"): GpuFacts[] {
  return Array.from({ length: count }, (_, index) => ({
    uuid: `GPU-sim-${index}`,
    index,
    name,
    memoryTotalMib: 81_920,
    simulated: true,
    migParentUuid: null,
    schedulable: true,
  }));
}

/**
 * @param logFolder where logs go, when it must be a disk of its own.
 * @param openLogs their home, when it is not that of files.
 */
export async function startTestServices(
  timing: Partial<ServiceTiming> = {},
  logFolder?: string,
  openLogs?: () => Promise<LogStore>,
): Promise<TestServices> {
  const db = await createTestDatabase();
  const folder = mkdtempSync(join(tmpdir(), "nexus-services-"));
  const alice = await addPerson(db, "alice", "owner");
  const bob = await addPerson(db, "bob", "member");
  const nodes = new Map<number, { isOpen: boolean; isStuck: boolean; sent: ServerMessage[] }>();
  const waiters = new Set<() => void>();
  const announce = () => {
    for (const waiter of waiters) waiter();
  };
  const clock = { skewMs: 0 };
  const problems: string[] = [];
  let term: TestTerm;
  const hub: Hub = {
    send(targetId, message) {
      const node = nodes.get(targetId);
      if (!node?.isOpen || node.isStuck) return false;
      node.sent.push(message);
      announce();
      return true;
    },
    isConnected: (targetId) => nodes.get(targetId)?.isOpen ?? false,
    disconnect(targetId) {
      const node = nodes.get(targetId);
      if (node) node.isOpen = false;
    },
    connectedTargets: () => [...nodes].filter(([, node]) => node.isOpen).map(([id]) => id),
  };

  const test: TestServices = {
    ...(await open()),
    db,
    alice,
    bob,
    clock,
    problems,
    async addTarget(name, { gpus = [], labels = {} } = {}) {
      const publicId = newId("target", randomBytes);
      const [row] = await db.sql<{ id: number }[]>`
        insert into target (public_id, team_id, name, kind, state, labels, facts)
        values (${publicId}, ${alice.teamId}, ${name}, 'agent', 'connecting', ${JSON.stringify(labels)}::text::jsonb,
          ${JSON.stringify(TEST_FACTS)}::text::jsonb)
        returning id::float8 as id`;
      if (!row) throw new Error("no target");
      await test.services.refreshTarget(row.id);
      return nodeOf(
        { targetId: row.id, targetPublicId: publicId, targetName: name, teamId: alice.teamId },
        gpus,
      );
    },
    async submit(spec, { principal = alice, submitKey, immediate = false } = {}) {
      const jobs = [jobSpecSchema.parse(spec)];
      const result = await test.services.submitJobs(principal, { jobs, submitKey, immediate });
      const id = result.jobs[0]?.id;
      if (id === undefined) throw new Error("no job");
      return id;
    },
    async until(look) {
      for (;;) {
        const heard = new Promise<void>((resolve) => {
          const done = () => {
            waiters.delete(done);
            resolve();
          };
          waiters.add(done);
        });
        const found = await look();
        if (found) return found;
        await heard;
      }
    },
    async restart(meanwhile) {
      await test.services.close();
      await test.logs.close();
      await term.close();
      for (const node of nodes.values()) node.isOpen = false;
      await meanwhile?.();
      Object.assign(test, await open());
    },
    async close() {
      await test.services.close();
      await test.logs.close();
      await term.close();
      await db.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return test;

  async function open(): Promise<Pick<TestServices, "services" | "events" | "logs">> {
    const events = createEventBus((error) => problems.push(String(error)));
    const logs = (await openLogs?.()) ?? createSegmentLogStore({ root: logFolder ?? folder });
    term = await takeTestTerm(db);
    const services = createServices({
      db: term.client.db,
      sql: term.client.sql,
      right: term.right,
      hub,
      logs,
      events,
      clock: { nowMs: () => Date.now() + clock.skewMs },
      randomBytes,
      log: (level, message, facts) => {
        if (level !== "info") problems.push(`${message} ${JSON.stringify(facts ?? {})}`);
      },
      policy: DEFAULT_POLICY,
      timing: { ...DEFAULT_TIMING, sweepMs: 10, silenceGraceMs: 0, ...timing },
    });
    for (const type of ["job", "log", "target"] as const) events.on(type, announce);
    await services.start();
    return { services, events, logs };
  }

  function nodeOf(self: Omit<NodeSession, "sessionId">, gpus: GpuFacts[]): TestNode {
    const state = { isOpen: false, isStuck: false, sent: [] as ServerMessage[] };
    nodes.set(self.targetId, state);
    let sessions = 0;
    const node: TestNode = {
      session: { ...self, sessionId: "s_0" },
      sent: state.sent,
      async connect(attempts = [], faults = [], facts = {}) {
        sessions += 1;
        node.session = { ...self, sessionId: `s_${sessions}` };
        state.isOpen = true;
        const port = test.services.agentPort;
        await port.connected(node.session);
        const part = {
          type: "inventory",
          generation: 1,
          facts: { ...TEST_FACTS, ...facts },
          gpus,
          attempts,
          faults,
          last: true,
        } as const;
        const answers = await port.inventory(node.session, [part]);
        state.sent.push(...answers);
        announce();
        return answers;
      },
      async disconnect() {
        state.isOpen = false;
        await test.services.agentPort.disconnected(node.session, "test");
      },
      setStuck(isStuck) {
        state.isStuck = isStuck;
      },
      starts: () => state.sent.flatMap((message) => (message.type === "start" ? message.jobs : [])),
      startOf: (job) => test.until(() => node.starts().findLast((start) => start.job === job)),
      async started({ attempt, fence }, over = {}) {
        const one = { attempt, fence, pid: 4711, startedAgoMs: 0, ...over };
        await test.services.agentPort.started(node.session, { type: "started", attempts: [one] });
      },
      async exited({ attempt, fence }, over = {}) {
        const one = exitOf({ attempt, fence }, over);
        return await test.services.agentPort.exited(node.session, { type: "exited", attempts: [one] });
      },
      async log({ attempt, fence }, offset, text) {
        const bytes = new TextEncoder().encode(text);
        return await test.services.agentPort.log(
          node.session,
          { type: "log", attempt, fence, offset },
          bytes,
        );
      },
      faults(faults) {
        test.services.agentPort.faults(node.session, { type: "faults", faults });
      },
      sample(samples, agoMs = 0, disk = { diskFreeMib: 300_000 }) {
        const host = { cpuPct: 1, load1: 0, memoryUsedMib: 1, memoryTotalMib: 2, ...disk };
        test.services.agentPort.telemetry(node.session, {
          type: "telemetry",
          sampledAgoMs: agoMs,
          gpus: samples,
          host,
        });
      },
    };
    return node;
  }
}

export function exitOf(
  of: Pick<JobStart, "attempt" | "fence">,
  over: Partial<AttemptExit> = {},
): AttemptExit {
  return {
    ...of,
    exitCode: 0,
    signal: null,
    reason: "exited",
    message: null,
    logBytes: 0,
    ranMs: 5,
    endedAgoMs: 0,
    leftovers: [],
    ...over,
  };
}

export function inventoryOf(
  { attempt, fence }: Pick<JobStart, "attempt" | "fence">,
  over: Partial<AttemptInventory> = {},
): AttemptInventory {
  return { attempt, fence, state: "running", pid: 4711, startedAgoMs: 50, logBytes: 0, exit: null, ...over };
}

async function addPerson(db: TestDatabase, name: string, role: Principal["role"]): Promise<Principal> {
  const teamId = "tm_lab0000000";
  const userId = `u_${name}`;
  await db.sql`insert into team (id, name) values (${teamId}, 'Lab') on conflict do nothing`;
  await db.sql`insert into queue (team_id, name) values (${teamId}, 'default') on conflict do nothing`;
  await db.sql`insert into "user" (id, name, email) values (${userId}, ${name}, ${`${name}@lab.test`})`;
  await db.sql`
    insert into member (id, team_id, user_id, role) values (${`m_${name}`}, ${teamId}, ${userId}, ${role})`;
  return { userId, userName: name, teamId, role };
}
