/**
 * A control plane from start to end: lock and database, runtime, port, pages; and back in the opposite order. Owns the HTTP
 * server and the process's end. States: starting → serving → stopping; a second signal while stopping ends it at once.
 */

import { once } from "node:events";
import { createServer as createHttpServer, Server } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";
import { NexusError } from "@nexus/shared/errors";
import type { Env } from "./env.ts";
import { routeUpgrades } from "./gateway/upgrade.ts";
import { originsOf, reachableHosts } from "./http/reachable-origins.ts";
import { refuseUntilReady } from "./http/refuse-until-ready.ts";
import { serveHttp } from "./http/serve-http.ts";
import { loadOrCreateTls } from "./http/tls.ts";
import type { Log } from "./logger/create-logger.ts";
import { connectMigrated, openDatabase } from "./open-database.ts";
import { openPages } from "./open-pages.ts";
import { createRuntime } from "./runtime.ts";
import { loadMasterKey } from "./services/master-key.ts";

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
  /** Settles when it has to stop by itself: the embedded database ended. */
  broken: Promise<void>;
  stop(): Promise<void>;
};

export async function serve(options: ServeOptions): Promise<Serving> {
  const { env, log, appDir, version } = options;
  const undo: (() => Promise<void> | void)[] = [];
  const stop = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const opened = await openDatabase(env, log);
    undo.push(() => opened.close());
    // Next's decoy hears upgrades only in development; it never listens.
    const decoy = new Server();
    const [client, pages, masterKey] = await Promise.all([
      connectMigrated(opened, env, { folder: join(appDir, "drizzle"), log }),
      openPages({ appDir, isDev: env.NEXUS_DEV, decoy }),
      loadMasterKey({ home: env.NEXUS_HOME, given: env.NEXUS_MASTER_KEY }),
    ]);
    undo.push(() => pages.close());

    const hosts = reachableHosts(env.NEXUS_HOST);
    const tls = env.NEXUS_TLS === "self-signed" ? await loadOrCreateTls(env.NEXUS_HOME, hosts) : null;
    const server = tls ? createHttpsServer({ key: tls.key, cert: tls.cert }) : createHttpServer();
    const letIn = refuseUntilReady(server);
    const port = await listen(server, env);
    undo.push(() => closeServer(server));

    const scheme = tls ? "https" : "http";
    const origins = originsOf({ publicUrl: env.NEXUS_PUBLIC_URL, scheme, hosts, port });
    const isDirect = env.NEXUS_PUBLIC_URL === undefined;
    const spkiPin = isDirect && tls ? tls.spkiPin : null;
    const certificate = isDirect ? tls?.cert : undefined;
    const runtime = await createRuntime({
      env,
      log,
      client,
      masterKey,
      version,
      origins,
      spkiPin,
      certificate,
    });
    // New connections are refused first: an agent that dials a closed port waits, one that meets a closing gateway asks again.
    undo.push(async () => {
      server.close();
      await runtime.close();
    });

    const { api, enroll, isReady } = runtime;
    letIn();
    server.on(
      "request",
      serveHttp({ api, enroll, isReady, pages: pages.handle, pagePolicy: pages.policy, version, log }),
    );
    routeUpgrades(server, {
      agent: runtime.gateway.upgrade,
      ui: (request, socket, head) => runtime.uiSockets.handleUiUpgrade(request, socket, head),
      decoy,
    });
    if (env.NEXUS_UP) await runtime.handOver(userInfo().username);
    const url = origins[0] ?? "";
    log("info", "ready", { url });
    return { url, broken: opened.ended, stop };
  } catch (cause) {
    await stop();
    throw cause;
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
