/** A control plane as a program: the real services and the real gateway, on a simulated machine. */
import type { JobSpecInput } from "@nexus/shared/api/schemas";
import { jobSpecSchema } from "@nexus/shared/api/schemas";
import { DEFAULT_POLICY } from "../../../apps/web/src/server/core/scheduler/snapshot.ts";
import { createAgentGateway } from "../../../apps/web/src/server/gateway/agent-gateway.ts";
import { createSegmentLogStore } from "../../../apps/web/src/server/logs/segment-log-store.ts";
import { createServices } from "../../../apps/web/src/server/services/create-services.ts";
import { createEventBus } from "../../../apps/web/src/server/services/event-bus.ts";
import { createNodeSessions } from "../../../apps/web/src/server/services/node-session.ts";
import type { LogStore, Principal } from "../../../apps/web/src/server/services/ports.ts";
import {
  DEFAULT_TIMING,
  type ServiceContext,
} from "../../../apps/web/src/server/services/service-context.ts";
import type { Services } from "../../../apps/web/src/server/services/services.ts";
import { type Term, takeTerm } from "../../../apps/web/src/server/services/term/take-term.ts";
import { signText } from "../stand-ins/ed25519.ts";
import type { Database } from "./database.ts";
import { kernel, type Program, wallMs } from "./kernel.ts";
import { type Machine, startProgram } from "./machine.ts";
import { network, type ServerListener } from "./network.ts";

export const SERVER_SEED = "server";
export const ORIGIN = "http://127.0.0.1:3000";
export const ALICE: Principal = { userId: "u_alice", userName: "alice", teamId: "tm_lab", role: "owner" };

export type ControlPlane = {
  program: Program;
  services: Services;
  logs: LogStore;
  submit(spec: JobSpecInput, submitKey: string): Promise<string>;
  cancel(job: string): Promise<boolean>;
  requeue(job: string): Promise<boolean>;
};

/** Between asking whether the place of the active one is free. */
const ASK_MS = 300;
const TIMING = { ...DEFAULT_TIMING, logRetryMs: 2_000, historyKeepMs: null };
/** Low, so that a few jobs reach it. */
export const CPU_JOBS_MAX = 3;
const POLICY = { ...DEFAULT_POLICY, cpuJobsPerTargetMin: CPU_JOBS_MAX, cpuJobsPerCpu: 0 };

/** @param onUp it takes calls; what it does from then on is its own. */
export function startControlPlane(machine: Machine, { database, checked, onUp }: Start): Program {
  const program = startProgram("control-plane", machine);
  const { after, random, note } = kernel();
  const log = (level: string, message: string, facts?: object) => {
    if (level !== "info") note(`control-plane says: ${message} ${withoutStack(facts)}`);
  };
  /** As the process does: it says why, and ends; whoever watches it starts it again. */
  const endFor = (why: unknown) => {
    if (!program.isAlive) return;
    note(`control-plane ends: ${String(why).slice(0, 100)}`);
    kernel().kill(program);
  };
  const self = { host: machine.name, pid: program.pid, url: ORIGIN, home: "/nexus" };
  const takePlace = () => {
    takeTerm({ sql: database.open(program, null) as never, self, log }).then((term) => {
      if (term === null) after(ASK_MS, program, takePlace);
      else serveTerm(term);
    }, endFor);
  };
  after(random.delayMs(50), program, takePlace);
  return program;

  function serveTerm({ epoch, right, ended }: Term): void {
    void ended.then(endFor);
    const handle = database.open(program, epoch);
    const events = createEventBus((error) => kernel().onUnhandled(error));
    const logs = checked(createSegmentLogStore({ root: "/nexus/logs", segmentBytes: 2_048 }));
    const clock = { nowMs: () => wallMs(machine) };
    const randomBytes = (count: number) => random.bytes(count);
    let gateway: ReturnType<typeof createAgentGateway> | null = null;
    const hub: ServiceContext["hub"] = {
      send: (targetId, message) => gateway?.hub.send(targetId, message) ?? false,
      isConnected: (targetId) => gateway?.hub.isConnected(targetId) ?? false,
      disconnect: (targetId, why) => gateway?.hub.disconnect(targetId, why),
      connectedTargets: () => gateway?.hub.connectedTargets() ?? [],
    };
    const services = createServices({
      db: handle,
      sql: handle,
      hub,
      logs,
      events,
      right,
      clock,
      randomBytes,
      log,
      policy: POLICY,
      timing: TIMING,
      // The handle answers as far as the services ask it.
    } as unknown as ServiceContext);
    const sessions = createNodeSessions({
      db: handle,
      identity: { publicKey: "", pin: "", sign: (text: string) => signText(SERVER_SEED, text) },
      clock,
      randomBytes,
      events,
      origins: () => [ORIGIN],
      spkiPin: null,
      targetChanged: (targetId: number) => services.refreshTarget(targetId),
      disconnect: hub.disconnect,
    } as unknown as Parameters<typeof createNodeSessions>[0]);
    services.start().then(() => {
      gateway = createAgentGateway({
        sessions,
        port: services.agentPort,
        nowMs: () => kernel().nowMs,
        randomBytes,
        log,
      });
      const { upgrade } = gateway;
      const listener: ServerListener = {
        program,
        onUpgrade: ({ request, socket }) => upgrade(request as never, socket as never, Buffer.alloc(0)),
      };
      network().listeners = [listener];
      note("control-plane listens");
      onUp({
        program,
        services,
        logs,
        async submit(spec, submitKey) {
          const jobs = [jobSpecSchema.parse(spec)];
          const result = await services.submitJobs(ALICE, { jobs, submitKey, immediate: false });
          return result.jobs[0]?.id ?? "";
        },
        async cancel(job) {
          const { results } = await services.cancelJobs(ALICE, { jobs: [job] });
          return results[0]?.ok === true;
        },
        async requeue(job) {
          const { results } = await services.requeueJobs(ALICE, { jobs: [job] });
          return results[0]?.ok === true;
        },
      });
    }, endFor);
  }
}

/** Stacks are made only where somebody reads the trace, and so are no part of it. */
function withoutStack(facts: object | undefined): string {
  const text = JSON.stringify(facts ?? {}, (_key, value) =>
    typeof value === "string" ? value.split("\n")[0] : value,
  );
  return text.slice(0, 200);
}

type Start = {
  database: Database;
  /** The log store behind whatever watches it. */
  checked(logs: LogStore): LogStore;
  onUp(controlPlane: ControlPlane): void;
};
