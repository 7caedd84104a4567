import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { contract, type InputOf, type OutputOf, type ProcedureName } from "@nexus/shared/api/contract";
import { speakInputWords } from "@nexus/shared/api/input-words";
import { NexusError } from "@nexus/shared/errors";
import { createAgentKit } from "../../agent-kit/create-agent-kit.ts";
import { createAccounts } from "../../auth/create-accounts.ts";
import { DEFAULT_POLICY } from "../../core/scheduler/snapshot.ts";
import { createTestDatabase } from "../../db/testing/test-database.ts";
import { createPeopleSocketServer } from "../../gateway/people-socket-server.ts";
import { routeUpgrade } from "../../gateway/upgrade.ts";
import { createLogSearch, type LogSearchOptions } from "../../logs/log-search.ts";
import { createLogTimes } from "../../logs/log-times.ts";
import { createSegmentLogStore } from "../../logs/segment-log-store.ts";
import { createServerHealth } from "../../server-health.ts";
import type { AccessContext } from "../../services/access/access-context.ts";
import { createAccessServices } from "../../services/access/access-services.ts";
import { createAuthenticator } from "../../services/access/authenticator.ts";
import { createServices } from "../../services/create-services.ts";
import { createEnrollment } from "../../services/enrollment.ts";
import { createEventBus } from "../../services/event-bus.ts";
import type { Hub } from "../../services/ports.ts";
import { loadServerIdentity } from "../../services/server-identity.ts";
import { DEFAULT_TIMING } from "../../services/service-context.ts";
import type { Services } from "../../services/services.ts";
import { createSshConnector, createSshPool } from "../../services/ssh/create-ssh-connector.ts";
import { createSshService } from "../../services/ssh/ssh-service.ts";
import { takeTestTerm } from "../../services/term/testing/test-term.ts";
import { createTunnelService } from "../../services/tunnels/tunnel-service.ts";
import { type ApiLimitsOptions, createApiLimits } from "../api-limits.ts";
import { createHttpApi } from "../http-api.ts";
import { createTunnelRoute } from "../tunnel-route.ts";
import { createUiSockets } from "../ui-socket.ts";

export type TestApi = Awaited<ReturnType<typeof startTestApi>>;

export type TestApiOptions = {
  /** Instead of the real services of jobs and machines: what the test sets by hand; all else answers `unavailable`. */
  services?: Partial<Services>;
  url?: string;
  logSearch?: LogSearchOptions;
  limits?: ApiLimitsOptions;
};

/** The API as server.ts serves it, on a port of its own, over a database of its own. */
export async function startTestApi(options: TestApiOptions = {}) {
  speakInputWords();
  const database = await createTestDatabase();
  const logDir = mkdtempSync(join(tmpdir(), "nexus-api-"));
  const problems: string[] = [];
  const urls: string[] = [];
  const events = createEventBus((cause) => problems.push(`a listener failed: ${String(cause)}`));
  const clock = { aheadMs: 0, nowMs: () => Date.now() + clock.aheadMs };
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const url = options.url ?? origin;
  const accounts = createAccounts({
    db: database.db,
    secret: randomBytes(32).toString("base64url"),
    url,
    randomBytes,
    onProblem: (message) => problems.push(message),
  });
  const ctx: AccessContext = { db: database.db, accounts, events, clock, randomBytes, url };
  const authenticator = createAuthenticator({
    db: database.db,
    accounts,
    events,
    clock,
    onProblem: (message, cause) => problems.push(`${message}: ${String(cause)}`),
  });
  const times = createLogTimes({
    root: join(logDir, "times"),
    nowMs: clock.nowMs,
    onProblem: (message) => problems.push(message),
  });
  const logs = times.over(createSegmentLogStore({ root: join(logDir, "bytes") }));
  const term = options.services ? null : await takeTestTerm(database);
  const services: Services =
    term === null
      ? unreached({ events, problems: () => [], ...options.services })
      : createServices({
          db: term.client.db,
          sql: term.client.sql,
          right: term.right,
          hub: NOBODY_CONNECTED,
          logs,
          events,
          clock,
          randomBytes,
          log: (level, message, facts) => problems.push(`${level}: ${message} ${JSON.stringify(facts)}`),
          policy: DEFAULT_POLICY,
          timing: DEFAULT_TIMING,
        });
  if (!options.services) await services.start();
  const enrollTokens = createEnrollment({
    db: database.db,
    identity: await loadServerIdentity(database.db, randomBytes(32)),
    clock,
    randomBytes,
    events,
    origins: () => [url],
    spkiPin: null,
    agentPackage: null,
    targetChanged: (targetId) => services.refreshTarget(targetId),
    disconnect: () => undefined,
  });
  const connector = createSshConnector({ env: {}, nowMs: clock.nowMs });
  const pool = createSshPool({ connector, nowMs: clock.nowMs });
  const ssh = createSshService({
    db: database.db,
    masterKey: randomBytes(32),
    clock,
    randomBytes,
    events,
    connector,
    pool,
    kit: createAgentKit({ home: logDir, scriptPath: join(logDir, "no-agent"), version: "0.0.0", env: {} }),
    origins: () => [url],
    createEnrollToken: (principal, input) => enrollTokens.createEnrollToken(principal, input),
    revokeEnrollToken: (principal, id) => enrollTokens.revokeEnrollToken(principal, { id }),
    refreshTarget: (targetId) => services.refreshTarget(targetId),
    disconnect: () => undefined,
    serveAgentless: async () => undefined,
    agentlessTransport: () => null,
    findTarget: services.fleet.find,
    removeTarget: (principal, target) => services.removeTarget(principal, { target, force: false }),
    onInternalError: (cause) => problems.push(`ssh: ${String(cause)}`),
  });
  const parts = {
    services,
    ssh,
    access: createAccessServices(ctx),
    enrollTokens,
    server: { version: "0.0.0", url, fingerprint: "none" },
    health: createServerHealth({
      sql: database.sql,
      version: "0.0.0",
      programEnv: {},
      home: logDir,
      isEmbedded: false,
      nowMs: clock.nowMs,
    }),
    logOffsetAt: times.offsetAt,
    logSearch: createLogSearch(options.logSearch),
    limits: createApiLimits(options.limits),
    clock,
    onInternalError: (id: string, cause: unknown) => problems.push(`${id}: ${String(cause)}`),
  };
  const httpApi = createHttpApi({ parts, accounts, authenticator, origins: [url] });
  const uiSockets = createUiSockets({
    parts,
    authenticator,
    origins: [url],
    sockets: createPeopleSocketServer(),
  });
  const note = (req: IncomingMessage) => urls.push(req.url ?? "");
  server.on("request", (req, res) => {
    note(req);
    if (!httpApi(req, res)) res.writeHead(404).end();
  });
  const tunnel = createTunnelRoute({
    parts,
    tunnels: createTunnelService({
      ...{ db: database.db, clock, findTarget: services.fleet.find, bySsh: ssh.openTunnel },
      byAgent: async (target) => {
        throw new NexusError("target_offline", { detail: `${target} is not connected.` });
      },
    }),
    authenticator,
    sockets: createPeopleSocketServer(),
  });
  const upgrade = routeUpgrade({
    agent: (_req, socket) => socket.destroy(),
    ui: uiSockets.handleUiUpgrade,
    tunnel: tunnel.upgrade,
    decoy: null,
  });
  server.on("upgrade", (req, socket, head) => {
    note(req);
    upgrade(req, socket, head);
  });

  async function post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
    return await fetch(`${origin}${path}`, {
      method: "POST",
      body: JSON.stringify(body),
      headers: { "content-type": "application/json", origin, ...headers },
    });
  }

  /** A call as the CLI makes it: by POST, so that no input stands in a URL; without input a query is a plain GET. */
  async function rawCall(name: string, input: unknown, headers: Record<string, string>): Promise<Response> {
    const isQuery = name in contract && contract[name as ProcedureName].kind === "query";
    if (input === undefined && isQuery) return await fetch(`${origin}/api/trpc/${name}`, { headers });
    return await fetch(`${origin}/api/trpc/${name}`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(input ?? {}),
    });
  }

  return {
    ctx,
    parts,
    logs,
    services,
    clock,
    events,
    origin,
    problems,
    urls,
    authenticator,
    post,
    rawCall,
    async call<P extends ProcedureName>(name: P, input: InputOf<P>, key: string): Promise<OutputOf<P>> {
      const response = await rawCall(name, input, { authorization: `Bearer ${key}` });
      const body = (await response.json()) as { result: { data: OutputOf<P> }; error?: { message: string } };
      if (body.error) throw new Error(body.error.message);
      return body.result.data;
    },
    /** All rows of all tables as text. */
    async dump(): Promise<string> {
      const tables = await database.sql`select tablename from pg_tables where schemaname = 'public'`;
      const rows = await Promise.all(
        tables.map(({ tablename }) => database.sql`select t::text as line from ${database.sql(tablename)} t`),
      );
      return rows.flatMap((lines) => lines.map(({ line }) => line)).join("\n");
    },
    /** All rows of all tables, a line each with its table's name, but for the columns named. */
    async rows(without: Record<string, string[]>): Promise<string[]> {
      const tables = await database.sql`select tablename as name from pg_tables where schemaname = 'public'`;
      const lines = await Promise.all(
        tables.map(
          ({ name }) =>
            database.sql`select ${name} || ' ' || (to_jsonb(t) - ${without[name] ?? []}::text[])::text as line from ${database.sql(name)} t`,
        ),
      );
      return lines.flatMap((some) => some.map(({ line }) => line));
    },
    async close(): Promise<void> {
      uiSockets.close();
      tunnel.close();
      server.closeAllConnections();
      server.close();
      authenticator.close();
      await ssh.close();
      await pool.close();
      if (!options.services) await services.close();
      await logs.close();
      await term?.close();
      await database.close();
      rmSync(logDir, { recursive: true, force: true });
    },
  };
}

const NOBODY_CONNECTED: Hub = {
  send: () => false,
  isConnected: () => false,
  disconnect: () => undefined,
  connectedTargets: () => [],
};

export const PROCEDURES = Object.keys(contract) as ProcedureName[];

/** A part that the test does not wire: reaching it is an answer that no refusal of the edge gives. */
function unreached<T extends object>(wired: Partial<T>): T {
  return new Proxy(wired, {
    get(target, name) {
      if (name in target) return target[name as keyof typeof target];
      const refuse = () => {
        throw new NexusError("unavailable", { detail: "reached" });
      };
      return Object.assign(refuse, { list: refuse, get: refuse, find: refuse });
    },
  }) as T;
}
