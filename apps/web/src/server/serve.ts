/**
 * A control plane from start to end: database, port, pages, then term after term of being the active one; and back in the
 * opposite order. Owns the HTTP server and the runtime of the present term. States: starting → standing by ⇄ active → stopping.
 */

import { once } from "node:events";
import { createServer as createHttpServer, Server } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";
import { NexusError } from "@nexus/shared/errors";
import { createActiveSeat } from "./active-seat.ts";
import { createDb } from "./db/client.ts";
import type { Env } from "./env.ts";
import { fullDiskRefusal, fullDiskText } from "./full-disk.ts";
import { routeUpgrade } from "./gateway/upgrade.ts";
import { openAgentPackage } from "./http/agent-package.ts";
import { createGate } from "./http/gate.ts";
import { originsOf, reachableHosts } from "./http/reachable-origins.ts";
import { serveHttp } from "./http/serve-http.ts";
import { loadOrCreateTls } from "./http/tls.ts";
import type { Log } from "./logger/create-logger.ts";
import { makeHome } from "./make-home.ts";
import { openDatabase } from "./open-database.ts";
import { openPages } from "./open-pages.ts";
import { createRuntime, type Runtime } from "./runtime.ts";
import { loadMasterKey } from "./services/master-key.ts";
import type { Term } from "./services/term/take-term.ts";

/** `docker stop` gives 10 s by default, our compose file 30; connections that linger past this are cut. */
const SHUTDOWN_MS_MAX = 8_000;

export type ServeOptions = {
  env: Env;
  log: Log;
  /** The folder with `.next` and `drizzle`. */
  appDir: string;
  version: string;
};

export type Serving = {
  url: string;
  /** Settles when it has to stop by itself, with why. */
  broken: Promise<unknown>;
  stop(): Promise<void>;
};

/** Resolves once it serves, or stands by. */
export async function serve(options: ServeOptions): Promise<Serving> {
  const { env, log, appDir, version } = options;
  const undo: (() => Promise<void> | void)[] = [];
  const stop = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    makeHome(env.NEXUS_HOME);
    // Next's decoy hears upgrades only in development; it never listens.
    const decoy = new Server();
    // While Postgres starts, which is another process, Next reads its files.
    const opening = openPages({ appDir, isDev: env.NEXUS_DEV, decoy });
    // Heard at once: it may fail before it is waited for, and has nothing to close then.
    const closing = opening.then(
      (pages) => () => pages.close(),
      () => () => undefined,
    );
    undo.push(async () => (await closing)());
    const opened = await openDatabase(env, log);
    undo.push(() => opened.close());
    const client = createDb(opened.address);
    undo.push(() => client.close());
    const [pages, masterKey, agentPackage] = await Promise.all([
      opening,
      loadMasterKey({ home: env.NEXUS_HOME, given: env.NEXUS_MASTER_KEY }),
      openAgentPackage(join(appDir, "dist/agent/nexus-agent.tgz")),
    ]);

    const hosts = reachableHosts(env.NEXUS_HOST);
    const tls = env.NEXUS_TLS === "self-signed" ? await loadOrCreateTls(env.NEXUS_HOME, hosts) : null;
    const server = tls ? createHttpsServer({ key: tls.key, cert: tls.cert }) : createHttpServer();
    const gate = createGate(server);
    const port = await listen(server, env);
    undo.push(() => closeServer(server));

    const scheme = tls ? "https" : "http";
    const origins = originsOf({ publicUrl: env.NEXUS_PUBLIC_URL, scheme, hosts, port });
    const isDirect = env.NEXUS_PUBLIC_URL === undefined;
    const spkiPin = isDirect && tls ? tls.spkiPin : null;
    const certificate = isDirect ? tls?.cert : undefined;
    const url = origins[0] ?? "";
    const seat = createActiveSeat({
      ...{ env, log, opened, client, masterKey, url },
      folder: join(appDir, "drizzle"),
    });
    undo.push(() => seat.close());

    const stopping = new AbortController();
    const stopped = new Promise<void>((resolve) => {
      stopping.signal.addEventListener("abort", () => resolve(), { once: true });
    });
    const settled = Promise.withResolvers<void>();
    let hasSettled = false;
    const settle = () => {
      hasSettled = true;
      settled.resolve();
    };
    const broken = Promise.withResolvers<unknown>();
    void opened.ended.then(() => {
      const full = fullDiskText(env.NEXUS_HOME);
      const why = full ?? "Its last words are in NEXUS_HOME/postgres. Start Nexus again.";
      const detail = `The embedded Postgres ended by itself. ${why}`;
      broken.resolve(new NexusError(full === null ? "unavailable" : "disk_full", { detail }));
    });
    const life = liveTermByTerm().catch((cause: unknown) => {
      settled.reject(cause);
      broken.resolve(cause);
    });
    undo.push(async () => {
      // New connections are refused first: an agent that dials a closed port waits, one that meets a closing gateway asks again.
      server.close();
      stopping.abort();
      await life;
    });
    await settled.promise;
    return { url, broken: broken.promise, stop };

    async function liveTermByTerm(): Promise<void> {
      for (;;) {
        const term = await seat.take(stopping.signal, (message) => {
          gate.turnAway(message);
          settle();
        });
        if (!term) return;
        let why: string | null;
        try {
          why = await serveTerm(term);
        } catch (cause) {
          // What a person must mend ends us, and so does a first start; a database that went away again comes back.
          if (cause instanceof NexusError || !hasSettled) throw cause;
          why = String(cause);
        } finally {
          await term.close();
        }
        if (why === null) return;
        log("warn", `this control plane is not the active one any more: ${why}`, { epoch: term.epoch });
      }
    }

    /** @returns why it ended, null when it was to stop. */
    async function serveTerm(term: Term): Promise<string | null> {
      const { epoch, right } = term;
      const ours = createDb(opened.address, epoch);
      // Statements that nobody will answer would keep us from ending, and so from coming back, for seconds.
      opened.ended.then(ours.giveUp, ours.giveUp);
      const given = {
        ...{ env, log, masterKey, version, origins, spkiPin, certificate, agentPackage },
        ...{ agentScript: join(appDir, "dist/agent/nexus-agent.js"), programEnv: env.programEnv },
      };
      const runtime = await createRuntime({ ...given, client: ours, right }).catch(async (cause: unknown) => {
        await ours.close();
        throw cause;
      });
      try {
        open(runtime);
        if (env.NEXUS_UP) await runtime.handOver(userInfo().username);
        log("info", "ready", { url, epoch });
        settle();
        return await Promise.race([term.ended, stopped.then(() => null)]);
      } finally {
        gate.turnAway("The control plane is restarting.");
        await runtime.close();
      }
    }

    function open({ api, enroll, isReady, problems, gateway, tunnel, uiSockets }: Runtime): void {
      const parts = {
        api,
        enroll,
        agentPackage,
        isReady,
        problems,
        pages: pages.handle,
        pagePolicy: pages.policy,
        version,
        log,
      };
      const ui: typeof uiSockets.handleUiUpgrade = (...upgrade) => uiSockets.handleUiUpgrade(...upgrade);
      gate.open({
        request: serveHttp(parts),
        upgrade: routeUpgrade({ agent: gateway.upgrade, ui, tunnel: tunnel.upgrade, decoy }),
      });
    }
  } catch (cause) {
    await stop();
    throw fullDiskRefusal(env.NEXUS_HOME, cause) ?? cause;
  }
}

async function listen(server: Server, env: Env): Promise<number> {
  server.listen(env.NEXUS_PORT, env.NEXUS_HOST);
  try {
    await once(server, "listening");
  } catch (cause) {
    const isTaken = (cause as NodeJS.ErrnoException).code === "EADDRINUSE";
    throw new NexusError(isTaken ? "conflict" : "unavailable", {
      detail: isTaken
        ? `Port ${env.NEXUS_PORT} on ${env.NEXUS_HOST} is taken by another program. Set NEXUS_PORT to a free one.`
        : `Cannot listen on ${env.NEXUS_HOST}:${env.NEXUS_PORT}: ${(cause as Error).message}`,
      cause,
    });
  }
  return (server.address() as AddressInfo).port;
}

async function closeServer(server: Server): Promise<void> {
  const limit = setTimeout(() => server.closeAllConnections(), SHUTDOWN_MS_MAX);
  server.closeIdleConnections();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  clearTimeout(limit);
}
