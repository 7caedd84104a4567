import { EventEmitter, once } from "node:events";
import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { afterEach, describe, expect, it } from "vitest";
import { rejectUpgrade, routeUpgrade } from "./upgrade.ts";

let server: Server;
const calls: string[] = [];
const handler = (name: string) => (_request: unknown, socket: Duplex) => {
  calls.push(name);
  rejectUpgrade(socket, { status: 503, message: name, retryAfterMs: 1500 });
};

async function serve(decoy: EventEmitter | null): Promise<number> {
  calls.length = 0;
  server = createServer().listen(0, "127.0.0.1");
  server.on("upgrade", routeUpgrade({ agent: handler("agent"), ui: handler("ui"), decoy }));
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

/** @returns the HTTP status, or "cut" when the socket was closed without an answer. */
async function upgrade(port: number, path: string, headers: Record<string, string> = {}) {
  const asked = request({
    port,
    host: "127.0.0.1",
    path,
    headers: { connection: "upgrade", upgrade: "websocket", ...headers },
  });
  asked.end();
  return await new Promise<number | string>((resolve) => {
    asked.on("response", (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    asked.on("error", () => resolve("cut"));
  });
}

describe("upgrades", () => {
  it("[P28] one listener owns every upgrade: our two paths by name, nothing by prefix", async () => {
    const port = await serve(null);
    expect(server.listenerCount("upgrade")).toBe(1);
    expect(await upgrade(port, "/ws/agent?x=1")).toBe(503);
    expect(await upgrade(port, "/ws/ui")).toBe(503);
    expect(calls).toEqual(["agent", "ui"]);
    for (const path of [
      "/",
      "/ws",
      "/ws/agent/",
      "/ws/agent/x",
      "//ws/agent",
      "/WS/AGENT",
      "/_next/webpack-hmr",
    ]) {
      expect(await upgrade(port, path)).toBe("cut");
    }
    expect(calls).toEqual(["agent", "ui"]);
  });

  it("[P28] what is not ours goes to the decoy when it listens", async () => {
    const decoy = new EventEmitter();
    const port = await serve(decoy);
    expect(await upgrade(port, "/_next/webpack-hmr")).toBe("cut");
    decoy.on("upgrade", handler("next"));
    expect(await upgrade(port, "/_next/webpack-hmr")).toBe(503);
    expect(await upgrade(port, "/ws/agent")).toBe(503);
    expect(calls).toEqual(["next", "agent"]);
  });

  it("[P28] a browser is turned away from the agents' path", async () => {
    const port = await serve(null);
    expect(await upgrade(port, "/ws/agent", { origin: "https://evil.example.org" })).toBe(403);
    expect(await upgrade(port, "/ws/agent", { origin: `http://127.0.0.1:${port}` })).toBe(403);
    expect(calls).toEqual([]);
  });
});
