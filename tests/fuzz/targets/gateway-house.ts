/**
 * Two nodes on the real gateway, services and Postgres: one that is fuzzed, and a good one whose session and job must not notice. Owns
 * all of it. Before each input the fuzzed node has a job that runs, one that was sent to it, and one that ended without its whole log;
 * afterwards it comes back as a good node, and all of these must find their end.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jobSpecSchema } from "@nexus/shared/api/schemas";
import { isErrorCode } from "@nexus/shared/errors";
import { CLOSE } from "@nexus/shared/protocol/close-codes";
import { PROTOCOL_VERSION_MAX } from "@nexus/shared/protocol/limits";
import type { GpuFacts, GpuSample, JobStart } from "@nexus/shared/protocol/messages";
import { serverMessageSchema } from "@nexus/shared/protocol/messages";
import { DEFAULT_POLICY } from "../../../apps/web/src/server/core/scheduler/snapshot.ts";
import { createTestDatabase } from "../../../apps/web/src/server/db/testing/test-database.ts";
import { type AgentGateway, createAgentGateway } from "../../../apps/web/src/server/gateway/agent-gateway.ts";
import {
  enrollTestNode,
  openTestSocket,
  TEST_FACTS,
  type TestIdentity,
  type TestSocket,
} from "../../../apps/web/src/server/gateway/testing/test-node.ts";
import { routeUpgrade } from "../../../apps/web/src/server/gateway/upgrade.ts";
import { createEnrollRoutes } from "../../../apps/web/src/server/http/enroll-routes.ts";
import { createSegmentLogStore } from "../../../apps/web/src/server/logs/segment-log-store.ts";
import { createServices } from "../../../apps/web/src/server/services/create-services.ts";
import { createEnrollment } from "../../../apps/web/src/server/services/enrollment.ts";
import { createEventBus } from "../../../apps/web/src/server/services/event-bus.ts";
import { createNodeSessions } from "../../../apps/web/src/server/services/node-session.ts";
import type { Hub, Principal } from "../../../apps/web/src/server/services/ports.ts";
import { loadServerIdentity } from "../../../apps/web/src/server/services/server-identity.ts";
import { DEFAULT_TIMING } from "../../../apps/web/src/server/services/service-context.ts";
import { takeTestTerm } from "../../../apps/web/src/server/services/term/testing/test-term.ts";
import { BrokenPromise } from "../engine/fuzz-target.ts";

export type GatewayHouse = Awaited<ReturnType<typeof openGatewayHouse>>;

export type FuzzedNode = {
  socket: TestSocket;
  identity: TestIdentity;
  /** What the inputs call by these names. */
  names: Record<string, string | number>;
};

/** What a node of today says of itself. */
export const SPOKEN = { protocolMax: PROTOCOL_VERSION_MAX, protocol: PROTOCOL_VERSION_MAX };

const TEAM = "tm_lab0000000";
const OWNER = "u_ada";
const MANY_HANDSHAKES = { perSecond: 100_000, burst: 100_000 };
const NAMES = ["good", "bad"];
/** A node that stays away is called so after a while. */
const TRACES: Record<string, string[]> = { target: ["state", "state_since"] };
const GOOD_ANSWERS = ["challenge", "welcome", "sync", "start", "log_ack", "heartbeat"];
const PAUSES_FORGOTTEN_MS = 600_000;

export async function openGatewayHouse() {
  const database = await createTestDatabase();
  const { sql } = database;
  await sql`insert into team (id, name) values (${TEAM}, 'Lab')`;
  await sql`insert into queue (team_id, name) values (${TEAM}, 'default')`;
  await sql`insert into "user" (id, name, email) values (${OWNER}, 'Ada', 'ada@lab.test')`;
  await sql`insert into member (id, team_id, user_id, role) values ('m_ada', ${TEAM}, ${OWNER}, 'owner')`;
  const principal: Principal = { userId: OWNER, userName: "Ada", teamId: TEAM, role: "owner" };
  const folder = mkdtempSync(join(tmpdir(), "nexus-fuzz-"));
  const problems: string[] = [];
  const note = (level: string, message: string, facts: Record<string, unknown> = {}) => {
    if (level === "error" || message.startsWith("live jobs differ"))
      problems.push(`${message} ${JSON.stringify(facts)}`);
  };
  const events = createEventBus((cause) => note("error", `a listener failed: ${String(cause)}`));
  const clock = { aheadMs: 0, nowMs: () => Date.now() + clock.aheadMs };
  const term = await takeTestTerm(database);
  const logs = createSegmentLogStore({ root: folder });
  const underWay = watchCalls();
  let gateway: AgentGateway | null = null;
  const hub: Hub = {
    send: (targetId, message) => gateway?.hub.send(targetId, message) ?? false,
    isConnected: (targetId) => gateway?.hub.isConnected(targetId) ?? false,
    disconnect: (targetId, why) => gateway?.hub.disconnect(targetId, why),
    connectedTargets: () => gateway?.hub.connectedTargets() ?? [],
  };
  const services = createServices({
    ...{ db: term.client.db, sql: term.client.sql, right: term.right, hub, logs, events, clock, randomBytes },
    log: note,
    policy: DEFAULT_POLICY,
    timing: { ...DEFAULT_TIMING, sweepMs: 100, verifyMs: 0 },
  });
  await services.start();
  let origin = "";
  const enrollCtx = {
    ...{ db: database.db, clock, randomBytes, events, spkiPin: null, agentPackage: null },
    identity: await loadServerIdentity(database.db, randomBytes(32)),
    origins: () => [origin],
    targetChanged: (targetId: number) => services.refreshTarget(targetId),
    disconnect: hub.disconnect,
  };
  const enrollment = createEnrollment(enrollCtx);
  gateway = createAgentGateway({
    sessions: underWay.watched(createNodeSessions(enrollCtx)),
    port: underWay.watched(services.agentPort),
    nowMs: () => performance.now(),
    randomBytes,
    log: note,
    admission: MANY_HANDSHAKES,
  });
  const upgrade = gateway.upgrade;
  const enrollRoutes = createEnrollRoutes({
    enrollment,
    nowMs: () => Date.now(),
    onInternalError: (error) => note("error", String(error)),
  });
  const server = createServer((request, response) => void enrollRoutes(request, response));
  server.on("upgrade", routeUpgrade({ agent: upgrade, ui: null, decoy: null }));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const [good, bad] = await Promise.all(NAMES.map(enrol));
  if (good === undefined || bad === undefined) throw new Error("two nodes are enrolled");
  const [goodStart] = await submit(good.name, [{ gpus: 1 }]);
  const goodSocket = await connect(good);
  const [goodJob] = await startsOf(goodSocket, [goodStart ?? ""]);
  if (goodJob === undefined) throw new Error("the good node got its job");
  goodSocket.send({ type: "started", attempts: [{ ...idOf(goodJob), pid: 4711, startedAgoMs: 0 }] });
  let goodLogBytes = 0;
  await settle(goodSocket);

  async function enrol(name: string): Promise<{ name: string; identity: TestIdentity; gpus: GpuFacts[] }> {
    const token = await enrollment.createEnrollToken(principal, { labels: {}, usesMax: 1, ttlMs: 60_000 });
    const { identity } = await enrollTestNode(token.secret, { name });
    const gpus = [0, 1].map((index) => ({ ...GPU, uuid: `GPU-${name}-${index}`, index }));
    return { name, identity, gpus };
  }

  async function submit(target: string, specs: { gpus: number }[]): Promise<string[]> {
    const jobs = specs.map((spec) => jobSpecSchema.parse({ command: ["true"], target, ...spec }));
    const submitted = await services.submitJobs(principal, { jobs, immediate: false });
    return submitted.jobs.map(({ id }) => id);
  }

  /** As a good node does, with nothing on it. */
  async function connect({ identity, gpus }: { identity: TestIdentity; gpus: GpuFacts[] }) {
    const socket = await openTestSocket(origin);
    await welcome(socket, identity);
    const { generation } = identity;
    socket.send({ type: "inventory", generation, facts: TEST_FACTS, gpus, attempts: [], last: true });
    await socket.next("sync");
    // Nobody gets a GPU of which nothing is known since it was freed.
    socket.send({ type: "telemetry", sampledAgoMs: 0, gpus: gpus.map(idleSample), host: HOST });
    return socket;
  }

  async function welcome(socket: TestSocket, identity: TestIdentity): Promise<void> {
    await socket.hello(identity, SPOKEN);
    identity.generation = (await socket.next("welcome")).generation;
  }

  async function startsOf(socket: TestSocket, jobs: string[]): Promise<JobStart[]> {
    const found: JobStart[] = [];
    while (found.length < jobs.length) {
      const { jobs: sent } = await socket.next("start");
      found.push(...sent.filter(({ job }) => jobs.includes(job)));
    }
    return found.sort((a, b) => jobs.indexOf(a.job) - jobs.indexOf(b.job));
  }

  /** All that a node sent was worked off, or its session is over. */
  async function settle(socket: TestSocket): Promise<void> {
    const { ws } = socket;
    if (ws.readyState === ws.OPEN) {
      const answered = once(ws, "pong").catch(() => undefined);
      ws.ping();
      await Promise.race([answered, socket.closed]);
    }
    await underWay.idle();
  }

  async function goodNode(): Promise<string> {
    const rows = await sql`
      select to_jsonb(j)::text || to_jsonb(a)::text || (to_jsonb(t) - 'state_since')::text
        || coalesce((select string_agg(to_jsonb(l)::text, ',') from gpu_lease l where l.attempt_id = a.id), '') as line
      from job j join attempt a on a.job_id = j.id join target t on t.id = a.target_id
      where j.public_id = ${goodJob?.job ?? ""}`;
    return rows.map(({ line }) => line).join("\n");
  }
  const goodBefore = await goodNode();

  return {
    origin,
    underWay,
    settle,
    openTestSocket: () => openTestSocket(origin),
    /** Every table but what only says that somebody was here. */
    async tables(): Promise<string> {
      const names = await sql`
        select tablename as name from pg_tables where schemaname = 'public'
          and tablename <> all (array['target_heartbeat', 'control_plane', 'gpu_sample'])`;
      const lines = await Promise.all(
        names.map(
          ({ name }) =>
            sql`select ${name} || (to_jsonb(t) - ${TRACES[name] ?? []}::text[])::text as line from ${sql(name)} t`,
        ),
      );
      return lines.flatMap((some) => some.map(({ line }) => line)).join("\n");
    },
    /** Somebody without a key. */
    async stranger(): Promise<FuzzedNode> {
      const socket = await openTestSocket(origin);
      await socket.next("challenge");
      const names = { node: bad.identity.nodeId, otherNode: good.identity.nodeId, origin };
      return { socket, identity: { ...bad.identity }, names };
    },
    /** A live session with the three jobs. */
    async begin(phase: "live" | "welcomed" | "challenged"): Promise<FuzzedNode> {
      // A node that refused starts is left alone for a while.
      clock.aheadMs += PAUSES_FORGOTTEN_MS;
      const jobs = await submit(bad.name, [{ gpus: 1 }, { gpus: 1 }, { gpus: 0 }]);
      let socket = await connect(bad);
      const [running, ended, sent] = await startsOf(socket, jobs);
      if (running === undefined || ended === undefined || sent === undefined) throw new Error("three starts");
      socket.send({ type: "started", attempts: [{ ...idOf(running), pid: 4712, startedAgoMs: 0 }] });
      socket.send({ type: "log", ...idOf(running), offset: 0 }, Buffer.from("abc"));
      socket.send({ type: "exited", attempts: [{ ...EXIT, ...idOf(ended) }] });
      await settle(socket);
      if (phase !== "live") {
        socket.ws.close();
        await socket.closed;
        await underWay.idle();
        socket = await openTestSocket(origin);
        if (phase === "welcomed") await welcome(socket, bad.identity);
        else await socket.next("challenge");
      }
      const names = {
        running: running.attempt,
        ended: ended.attempt,
        sent: sent.attempt,
        other: goodJob.attempt,
        generation: bad.identity.generation,
        node: bad.identity.nodeId,
        otherNode: good.identity.nodeId,
        gpu: bad.gpus[0]?.uuid ?? "",
        otherGpu: good.gpus[0]?.uuid ?? "",
        origin,
      };
      underWay.calls.length = 0;
      return { socket, identity: bad.identity, names };
    },
    /** Somebody wants to reach a service of the fuzzed node; whether they do is up to it. */
    askForTunnel(): void {
      gateway?.openTunnel(bad.identity.nodeId, { host: "localhost", port: 80 }).then(
        (stream) =>
          stream
            .on("error", () => undefined)
            .end("hello")
            .resume(),
        () => undefined,
      );
    },
    async cancelAll(): Promise<void> {
      const rows = await sql<{ id: string }[]>`
        select j.public_id as id from job j join target t on t.id = j.wanted_target_id
        where t.name = ${bad.name} and j.ended_at is null`;
      if (rows.length > 0) await services.cancelJobs(principal, { jobs: rows.map(({ id }) => id) });
    },
    /** @throws BrokenPromise when the session did not end as it should, or anything was left half done. */
    async judge({ socket, identity }: FuzzedNode, isOurEnd: boolean): Promise<void> {
      if (problems.length > 0) throw new BrokenPromise(`a fault of ours: ${problems.splice(0).join("; ")}`);
      for (const message of socket.received) {
        if (!serverMessageSchema.safeParse(message).success)
          throw new BrokenPromise(`sent what is no message: ${JSON.stringify(message).slice(0, 300)}`);
        if (message.type === "welcome") identity.generation = message.generation;
      }
      if (socket.ws.readyState === socket.ws.CLOSED && !isOurEnd) judgeEnd(socket, await socket.closed);
      await judgeTables("");
      await judgeGoodNode();
    },
    /** The node comes back with nothing on it: all its jobs find their end, and it takes new ones. */
    async recover(node: FuzzedNode): Promise<void> {
      node.socket.ws.terminate();
      await node.socket.closed;
      await underWay.idle();
      await this.cancelAll();
      const socket = await connect(bad);
      await settle(socket);
      for (let left = await openJobs(); left.length > 0; left = await openJobs()) {
        const exits = left.map((id) => ({ ...EXIT, ...id, logBytes: 0, reason: "cancelled" as const }));
        socket.send({ type: "exited", attempts: exits });
        await settle(socket);
      }
      await judgeTables(" after its node came back");
      socket.ws.close();
      await socket.closed;
      await underWay.idle();
      if (problems.length > 0)
        throw new BrokenPromise(`a fault of ours, afterwards: ${problems.splice(0).join("; ")}`);
    },
    async close(): Promise<void> {
      await gateway?.close();
      server.close();
      server.closeAllConnections();
      await services.close();
      await logs.close();
      await term.close();
      await database.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };

  async function openJobs(): Promise<{ attempt: string; fence: number }[]> {
    const rows = await sql<{ attempt: string; fence: number }[]>`
      select a.public_id as attempt, a.fence from attempt a join target t on t.id = a.target_id
      where t.name = ${bad?.name ?? ""} and a.ended_at is null`;
    return rows.map(({ attempt, fence }) => ({ attempt, fence }));
  }

  function judgeEnd({ received }: TestSocket, { code, reason }: { code: number; reason: string }): void {
    // These are of the WebSocket itself: too long, not UTF-8, no frame.
    if ([1002, 1003, 1006, 1007, 1009].includes(code)) return;
    const known = Object.values(CLOSE).find((one) => one.code === code);
    if (known?.reason !== reason) throw new BrokenPromise(`closed with ${code} "${reason}"`);
    const said = received.findLast(({ type }) => type === "refuse");
    if (said?.type !== "refuse" || !isErrorCode(said.code) || said.code === "internal" || said.message === "")
      throw new BrokenPromise(`closed with ${code} and said ${JSON.stringify(said)}`);
  }

  async function judgeTables(when: string): Promise<void> {
    const wrong = await sql<{ what: string }[]>`
      select j.public_id || ' is ' || j.state || ' and its attempt ' || coalesce(a.end_reason, 'is open') as what
        from job j left join attempt a on a.id = j.attempt_id
        where (j.state in ('assigned', 'starting', 'running', 'unreachable')) <> (a.id is not null and a.ended_at is null)
      union all select a.public_id || ' is over and holds a GPU'
        from gpu_lease l join attempt a on a.id = l.attempt_id where a.ended_at is not null
      union all select j.public_id || ' holds not what it asked for' from job j
        where j.state in ('assigned', 'starting', 'running', 'unreachable')
          and j.gpus <> (select count(*) from gpu_lease l where l.attempt_id = j.attempt_id)
      union all select a.public_id || ' is closed and not over' from attempt a
        where a.closed_at is not null and a.ended_at is null
      union all select a.public_id || ' is above its job' from attempt a join job j on j.id = a.job_id
        where a.fence > j.attempt_number
      union all select j.public_id || ' is ' || j.state || ' and its history ends with ' || e.state
        from job j cross join lateral (select state from job_event where job_id = j.id order by id desc limit 1) e
        where e.state <> j.state and j.state in ('running', 'succeeded', 'failed', 'cancelled', 'timed_out', 'lost')`;
    if (wrong.length > 0)
      throw new BrokenPromise(`half done${when}: ${wrong.map(({ what }) => what).join("; ")}`);
  }

  async function judgeGoodNode(): Promise<void> {
    if (goodSocket.ws.readyState !== goodSocket.ws.OPEN)
      throw new BrokenPromise(`another node's session ended: ${JSON.stringify(await goodSocket.closed)}`);
    const after = await goodNode();
    if (after !== goodBefore)
      throw new BrokenPromise(`another node's job changed: ${after} was ${goodBefore}`);
    goodSocket.send({ type: "log", ...idOf(goodJob as JobStart), offset: goodLogBytes }, Buffer.from("x"));
    const { logBytes, rewind } = await goodSocket.next("log_ack");
    goodLogBytes += 1;
    if (rewind || logBytes !== goodLogBytes)
      throw new BrokenPromise(`another node's log has ${logBytes} bytes instead of ${goodLogBytes}`);
    const odd = goodSocket.received.find(({ type }) => !GOOD_ANSWERS.includes(type));
    if (odd !== undefined) throw new BrokenPromise(`another node was told ${JSON.stringify(odd)}`);
  }
}

const GPU: GpuFacts = {
  uuid: "GPU",
  index: 0,
  name: "NVIDIA H100",
  memoryTotalMib: 81_559,
  simulated: true,
  migParentUuid: null,
  schedulable: true,
};

const EXIT = {
  exitCode: 0,
  signal: null,
  reason: "exited" as const,
  message: null,
  logBytes: 10,
  ranMs: 5,
  endedAgoMs: 0,
  leftovers: [],
};

const HOST = { cpuPct: 3, load1: 0.5, memoryUsedMib: 900, memoryTotalMib: 515_000, diskFreeMib: 100_000 };

const idleSample = ({ uuid }: GpuFacts): GpuSample => ({
  uuid,
  ...{ memoryUsedMib: 0, utilizationPct: 0, temperatureC: 40, powerW: 70, powerLimitW: 700, processes: [] },
});

const idOf = ({ attempt, fence }: JobStart) => ({ attempt, fence });

/** Calls into what is behind the sockets: which were made, and when none is under way. */
function watchCalls() {
  const calls: string[] = [];
  let count = 0;
  let done = Promise.withResolvers<void>();
  return {
    calls,
    watched<T extends object>(inner: T): T {
      return new Proxy(inner, {
        get(target, name) {
          const value: unknown = Reflect.get(target, name);
          if (typeof value !== "function") return value;
          return (...given: unknown[]) => {
            calls.push(String(name));
            const result: unknown = value.apply(target, given);
            if (!(result instanceof Promise)) return result;
            count += 1;
            const end = () => {
              count -= 1;
              if (count > 0) return;
              done.resolve();
              done = Promise.withResolvers();
            };
            result.then(end, end);
            return result;
          };
        },
      });
    },
    async idle(): Promise<void> {
      // A turn later the next piece of the lane is under way.
      await new Promise((resolve) => setImmediate(resolve));
      while (count > 0) {
        await done.promise;
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
}
