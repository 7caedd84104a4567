/**
 * Everything of the active control plane, wired. Owns: the database, the services, the sockets and the log store, and the order in
 * which they begin and end. Nothing else in the server connects, listens or reads settings.
 */

import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { assert } from "@nexus/shared/assert";
import { showPin } from "@nexus/shared/crypto/fingerprint";
import { createAgentKit } from "./agent-kit/create-agent-kit.ts";
import { createApiLimits } from "./api/api-limits.ts";
import { createHttpApi, type HttpApi } from "./api/http-api.ts";
import { createTunnelRoute, type TunnelRoute } from "./api/tunnel-route.ts";
import { createUiSockets, type UiSockets } from "./api/ui-socket.ts";
import { createAccounts } from "./auth/create-accounts.ts";
import { DEFAULT_POLICY } from "./core/scheduler/snapshot.ts";
import type { Client } from "./db/client.ts";
import { isAnswering } from "./db/queries/is-answering.ts";
import { type Env, readLogBucket } from "./env.ts";
import { fullDiskText } from "./full-disk.ts";
import { type AgentGateway, createAgentGateway } from "./gateway/agent-gateway.ts";
import { createPeopleSocketServer } from "./gateway/people-socket-server.ts";
import { createEnrollRoutes, type RouteHandler } from "./http/enroll-routes.ts";
import type { Log } from "./logger/create-logger.ts";
import { createLogSearch } from "./logs/log-search.ts";
import { createLogTimes } from "./logs/log-times.ts";
import { createS3LogStore } from "./logs/s3/s3-log-store.ts";
import { createSegmentLogStore } from "./logs/segment-log-store.ts";
import { createServerHealth } from "./server-health.ts";
import type { AccessContext } from "./services/access/access-context.ts";
import { createAccessServices } from "./services/access/access-services.ts";
import { createAuthenticator } from "./services/access/authenticator.ts";
import { createServices } from "./services/create-services.ts";
import type { EnrollContext } from "./services/enroll-context.ts";
import { createEnrollToken } from "./services/enroll-tokens.ts";
import { createEnrollment } from "./services/enrollment.ts";
import { createEventBus } from "./services/event-bus.ts";
import { createNodeSessions } from "./services/node-session.ts";
import type { Hub, Right } from "./services/ports.ts";
import { loadServerIdentity } from "./services/server-identity.ts";
import { DEFAULT_TIMING } from "./services/service-context.ts";
import { type AgentlessFleet, createAgentlessFleet } from "./services/ssh/agentless/agentless-fleet.ts";
import { createSshConnector, createSshPool, sshCrypto } from "./services/ssh/create-ssh-connector.ts";
import { createSshService } from "./services/ssh/ssh-service.ts";
import { createTunnelService } from "./services/tunnels/tunnel-service.ts";
import { writeUpHandoff } from "./services/up-handoff.ts";

/** The target that `npm run up` makes of its own machine. */
const LOCAL_TARGET = "local";
const GIB = 2 ** 30;
const DAY_MS = 86_400_000;
const LOCAL_TOKEN_TTL_MS = 60 * 60_000;

export type Runtime = {
  readonly api: HttpApi;
  readonly enroll: RouteHandler;
  readonly gateway: AgentGateway;
  readonly tunnel: TunnelRoute;
  readonly uiSockets: UiSockets;
  isReady(): Promise<boolean>;
  problems(): string[];
  /** Leaves the sign-in link, the key and the enrolment token for `npm run up`. */
  handOver(userName: string): Promise<void>;
  /** Agents and people are told to come back; what was begun is written; connections end. */
  close(): Promise<void>;
};

export type RuntimeOptions = {
  env: Env;
  log: Log;
  /** Of the epoch that this control plane is active in. */
  client: Client;
  right: Right;
  masterKey: Uint8Array;
  version: string;
  /** Where this server can be dialled; the first goes into enrolment tokens and links. */
  origins: readonly string[];
  spkiPin: string | null;
  /** Our own certificate in PEM, when we serve https with one. */
  certificate: string | undefined;
  /** The agent's file, for machines that it is brought to. */
  agentScript: string;
  /** The agent as a package for npx; null where none was built. */
  agentPackage: EnrollContext["agentPackage"];
  /** For programs that are started: ssh's proxies, npm. */
  programEnv: Readonly<Record<string, string | undefined>>;
};

export async function createRuntime(options: RuntimeOptions): Promise<Runtime> {
  const {
    env,
    log,
    client,
    right,
    masterKey,
    version,
    origins,
    spkiPin,
    certificate,
    agentScript,
    agentPackage,
    programEnv,
  } = options;
  const { db, sql } = client;
  const url = origins[0];
  assert(url !== undefined, "a server has an address");
  const clock = { nowMs: () => Date.now() };
  const events = createEventBus((cause) => log("error", "a listener failed", { cause: String(cause) }));
  const identity = await loadServerIdentity(db, masterKey);
  const logTimes = createLogTimes({
    root: join(env.NEXUS_HOME, "log-times"),
    nowMs: clock.nowMs,
    onProblem: (message, cause) => log("warn", message, { cause: String(cause) }),
  });
  const onLogProblem = (message: string, cause?: unknown) => log("error", message, { cause: String(cause) });
  const files = { root: join(env.NEXUS_HOME, "logs"), onProblem: onLogProblem };
  const bucket = readLogBucket(env);
  const store =
    bucket === null
      ? createSegmentLogStore(files)
      : await createS3LogStore({
          ...{ ...files, ...bucket },
          localBytesMax: env.NEXUS_LOG_LOCAL_GIB * GIB,
          token: randomBytes(8).toString("hex"),
          nowMs: clock.nowMs,
        });
  const logs = logTimes.over(store);

  const connector = createSshConnector({ env: programEnv, nowMs: clock.nowMs });
  const pool = createSshPool({ connector, nowMs: clock.nowMs });
  const agentless: AgentlessFleet = createAgentlessFleet({
    ...{ db, masterKey, clock, randomBytes, pool },
    port: () => services.agentPort,
    log: (message, facts) => log("warn", message, facts),
  });
  // Services send through the hub and the gateway calls the services: the hub is reached once both exist.
  let gateway: AgentGateway | null = null;
  const hub: Hub = {
    send: (targetId, message) =>
      agentless.has(targetId)
        ? agentless.send(targetId, message)
        : (gateway?.hub.send(targetId, message) ?? false),
    isConnected: (targetId) =>
      agentless.isConnected(targetId) || (gateway?.hub.isConnected(targetId) ?? false),
    disconnect(targetId, why) {
      agentless.disconnect(targetId);
      gateway?.hub.disconnect(targetId, why);
    },
    connectedTargets: () => [...(gateway?.hub.connectedTargets() ?? []), ...agentless.connectedTargets()],
  };
  const services = createServices({
    db,
    sql,
    hub,
    logs,
    events,
    right,
    clock,
    randomBytes,
    log,
    policy: DEFAULT_POLICY,
    fullDisk: () => fullDiskText(env.NEXUS_HOME),
    timing: {
      ...DEFAULT_TIMING,
      sampleKeepMs: env.NEXUS_SAMPLE_DAYS * DAY_MS,
      logKeepDays: env.NEXUS_LOG_DAYS,
      logBytesMax: env.NEXUS_LOG_GIB * GIB,
      historyKeepMs: env.NEXUS_HISTORY_DAYS === 0 ? null : env.NEXUS_HISTORY_DAYS * DAY_MS,
    },
  });

  const enrollCtx: EnrollContext = {
    db,
    identity,
    clock,
    randomBytes,
    events,
    origins: () => origins,
    spkiPin,
    agentPackage,
    targetChanged: (targetId) => services.refreshTarget(targetId),
    disconnect: hub.disconnect,
  };
  const enrollment = createEnrollment(enrollCtx);
  const accounts = createAccounts({
    db,
    secret: Buffer.from(identity.deriveKey("sessions")).toString("base64url"),
    url,
    randomBytes,
    onProblem: (message) => log("warn", message),
  });
  const accessCtx: AccessContext = { db, accounts, events, clock, randomBytes, url };
  const authenticator = createAuthenticator({
    db,
    accounts,
    events,
    clock,
    onProblem: (message, cause) => log("warn", message, { cause: String(cause) }),
  });
  const onInternalError = (cause: unknown) =>
    log("error", "work over ssh failed", { cause: describe(cause) });
  const ssh = createSshService({
    db,
    masterKey,
    clock,
    randomBytes,
    events,
    connector,
    pool,
    kit: createAgentKit({ home: env.NEXUS_HOME, scriptPath: agentScript, version, env: programEnv }),
    origins: () => origins,
    createEnrollToken: (principal, input, origin) =>
      createEnrollToken({ ...enrollCtx, origins: () => [origin] }, principal, input),
    revokeEnrollToken: (principal, id) => enrollment.revokeEnrollToken(principal, { id }),
    refreshTarget: (targetId) => services.refreshTarget(targetId),
    serveAgentless: (targetId) => agentless.add(targetId),
    agentlessTransport: (targetId) => agentless.transportOf(targetId),
    disconnect: hub.disconnect,
    findTarget: services.fleet.find,
    removeTarget: (principal, target) => services.removeTarget(principal, { target, force: false }),
    onInternalError,
  });
  const parts = {
    services,
    ssh,
    access: createAccessServices(accessCtx),
    enrollTokens: enrollment,
    server: { version, url, fingerprint: showPin(identity.pin) },
    health: createServerHealth({
      ...{ sql, version, programEnv },
      home: env.NEXUS_HOME,
      isEmbedded: env.DATABASE_URL === undefined,
      nowMs: clock.nowMs,
    }),
    logOffsetAt: logTimes.offsetAt,
    logSearch: createLogSearch(),
    limits: createApiLimits(),
    clock,
    onInternalError: (id: string, cause: unknown) =>
      log("error", "a call failed", { id, cause: describe(cause) }),
  };
  const tunnels = createTunnelService({
    ...{ db, clock, findTarget: services.fleet.find, bySsh: ssh.openTunnel },
    byAgent: (target, to) => live.openTunnel(target, to),
  });
  const tunnel = createTunnelRoute({ parts, tunnels, authenticator, sockets: createPeopleSocketServer() });
  const uiSockets = createUiSockets({ parts, authenticator, origins, sockets: createPeopleSocketServer() });

  await services.start().catch(async (cause: unknown) => {
    await logs.close();
    throw cause;
  });
  gateway = createAgentGateway({
    sessions: createNodeSessions(enrollCtx),
    port: services.agentPort,
    nowMs: () => performance.now(),
    randomBytes,
    log,
  });
  const live = gateway;
  await agentless.start();
  log("info", "ssh", { crypto: sshCrypto().text });

  return {
    api: createHttpApi({ parts, accounts, authenticator, origins }),
    enroll: createEnrollRoutes({
      enrollment,
      nowMs: () => performance.now(),
      onInternalError: (cause) => log("error", "enrolment failed", { cause: describe(cause) }),
    }),
    gateway: live,
    tunnel,
    uiSockets,
    isReady: () => isAnswering(sql),
    problems: () => services.problems().map(({ code }) => code),
    handOver: (userName) =>
      writeUpHandoff(accessCtx, {
        home: env.NEXUS_HOME,
        userName,
        certificate,
        createEnrollToken: async (owner) => {
          if (services.fleet.find(owner.teamId, LOCAL_TARGET) !== null) return undefined;
          const token = { name: LOCAL_TARGET, labels: {}, usesMax: 1, ttlMs: LOCAL_TOKEN_TTL_MS };
          return (await enrollment.createEnrollToken(owner, token)).secret;
        },
      }),
    async close() {
      uiSockets.close();
      tunnel.close();
      await ssh.close();
      await agentless.close();
      await pool.close();
      await live.close();
      await services.close();
      authenticator.close();
      await logs.close();
      await client.close();
    },
  };
}

function describe(cause: unknown): string {
  return cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
}
