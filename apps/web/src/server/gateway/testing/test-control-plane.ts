/**
 * The agents' half of a control plane for tests: real Postgres, real HTTP(S) server, real sockets; the services behind it are
 * a recording port. Owns all it starts; `close()` ends it.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { newId } from "@nexus/shared/ids";
import type { CloseName } from "@nexus/shared/protocol/close-codes";
import { eq } from "drizzle-orm";
import { insertTeam } from "../../db/queries/insert-team.ts";
import { insertUser } from "../../db/queries/insert-user.ts";
import { target } from "../../db/schema/target.ts";
import { createTestDatabase } from "../../db/testing/test-database.ts";
import { createEnrollRoutes } from "../../http/enroll-routes.ts";
import type { TlsFiles } from "../../http/tls.ts";
import type { EnrollContext } from "../../services/enroll-context.ts";
import { createEnrollment, type Enrollment } from "../../services/enrollment.ts";
import { createNodeSessions } from "../../services/node-session.ts";
import type { NexusEvents, Principal } from "../../services/ports.ts";
import { loadServerIdentity } from "../../services/server-identity.ts";
import type { ParsedInput } from "../../services/services.ts";
import type { AdmissionLimits } from "../admission.ts";
import { type AgentGateway, createAgentGateway } from "../agent-gateway.ts";
import { routeUpgrade } from "../upgrade.ts";
import { createRecordingPort, type RecordingPort } from "./recording-port.ts";

export type TestControlPlane = Awaited<ReturnType<typeof startTestControlPlane>>;

export type TestControlPlaneOptions = {
  tls?: TlsFiles;
  admission?: AdmissionLimits;
  heartbeatMs?: number;
  probeMs?: number;
};

export async function startTestControlPlane(options: TestControlPlaneOptions = {}) {
  const database = await createTestDatabase();
  const { db } = database;
  const principal = await addOwner(db);
  const masterKey = randomBytes(32);
  const identity = await loadServerIdentity(db, masterKey);
  const port: RecordingPort = createRecordingPort();
  const events: { type: keyof NexusEvents; event: unknown }[] = [];
  const logLines: { level: string; message: string; facts: Record<string, unknown> }[] = [];
  const requests: string[] = [];
  const clock = { skewMs: 0 };
  let origins: string[] = [];
  let gateway: AgentGateway | null = null;
  let cut: (() => void) | null = null;

  const ctx: EnrollContext = {
    db,
    identity,
    clock: { nowMs: () => Date.now() + clock.skewMs },
    randomBytes,
    events: {
      emit: (type, event) => void events.push({ type, event }),
      on: () => () => undefined,
    },
    origins: () => origins,
    spkiPin: options.tls?.spkiPin ?? null,
    agentPackage: null,
    targetChanged: async () => undefined,
    disconnect: (targetId: number, why: CloseName) => gateway?.hub.disconnect(targetId, why),
  };
  const enrollment: Enrollment = createEnrollment(ctx);
  const sessions = createNodeSessions(ctx);
  const enrollRoutes = createEnrollRoutes({
    enrollment,
    nowMs: () => Date.now(),
    onInternalError: (error) => logLines.push({ level: "error", message: String(error), facts: {} }),
  });

  const server = options.tls === undefined ? createServer() : createTlsServer(options.tls);
  server.on("request", (request, response) => {
    requests.push(`${request.method} ${request.url}`);
    if (cut !== null && request.method === "POST") {
      // The server did its work; the way back breaks.
      response.end = () => {
        cut?.();
        cut = null;
        return response.destroy();
      };
    }
    void enrollRoutes(request, response).then((isOurs) => {
      if (!isOurs) response.writeHead(404).end();
    });
  });
  server.on("upgrade", (request: IncomingMessage) => requests.push(`UPGRADE ${request.url}`));
  const upgrade = routeUpgrade({
    agent: (request, socket, head) => gateway?.upgrade(request, socket, head),
    ui: null,
    decoy: null,
  });
  server.on("upgrade", upgrade);

  function openGateway(): AgentGateway {
    return createAgentGateway({
      ...options,
      sessions,
      port,
      nowMs: () => performance.now(),
      randomBytes,
      log: (level, message, facts = {}) => logLines.push({ level, message, facts }),
    });
  }

  async function listen(at: number): Promise<void> {
    gateway = openGateway();
    server.listen(at, "127.0.0.1");
    await once(server, "listening");
    const scheme = options.tls === undefined ? "http" : "https";
    origins = [`${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`];
  }

  async function shut(): Promise<void> {
    await gateway?.close();
    gateway = null;
    server.close();
    server.closeAllConnections();
    await once(server, "close");
  }

  await listen(0);

  return {
    database,
    ctx,
    enrollment,
    sessions,
    port,
    events,
    logLines,
    /** Every request and upgrade that reached the server. */
    requests,
    clock,
    principal,
    masterKey,
    server,
    get origin() {
      return origins[0] ?? "";
    },
    set origins(given: string[]) {
      origins = given;
    },
    get hub() {
      if (gateway === null) throw new Error("the gateway is down");
      return gateway.hub;
    },
    get openTunnel() {
      if (gateway === null) throw new Error("the gateway is down");
      return gateway.openTunnel;
    },
    async token(input: Partial<ParsedInput<"enrollTokens.create">> = {}) {
      return await enrollment.createEnrollToken(principal, {
        labels: {},
        usesMax: 1,
        ttlMs: 60_000,
        ...input,
      });
    },
    async targetRow(publicId: string) {
      const rows = await db.select().from(target).where(eq(target.publicId, publicId));
      if (rows[0] === undefined) throw new Error(`no target ${publicId}`);
      return rows[0];
    },
    /** Only the row; the socket is told by the hub. */
    async revoke(publicId: string): Promise<void> {
      const gone = { revokedAt: new Date(), state: "revoked" as const };
      await db.update(target).set(gone).where(eq(target.publicId, publicId));
    },
    /** The answer to the next POST gets lost after its work was done. */
    cutNextAnswer(): Promise<void> {
      return new Promise((resolve) => {
        cut = resolve;
      });
    },
    /** Closes every socket and the port, as a dying process does, then listens there again. */
    async restart(): Promise<void> {
      const at = (server.address() as AddressInfo).port;
      await shut();
      await listen(at);
    },
    async close(): Promise<void> {
      if (server.listening) await shut();
      await database.close();
    },
  };
}

async function addOwner(db: EnrollContext["db"]): Promise<Principal> {
  const teamId = newId("team", randomBytes);
  const userId = newId("user", randomBytes);
  await insertTeam(db, { id: teamId, name: "Lab" });
  await insertUser(db, { id: userId, name: "Ada", email: `${userId}@example.com` });
  return { userId, userName: "Ada", teamId, role: "owner" };
}
