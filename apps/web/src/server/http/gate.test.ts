import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import { createGate, type Gate } from "./gate.ts";

let server: Server;
let gate: Gate;
let address: string;

beforeEach(async () => {
  server = createServer();
  gate = createGate(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  server.close();
  server.closeAllConnections();
});

test("[O37] who comes while the control plane starts is told to come again, and waits for nothing", async () => {
  const early = await fetch(`http://${address}/readyz`);
  expect([early.status, early.headers.get("retry-after")]).toEqual([503, "1"]);
  const socket = new WebSocket(`ws://${address}/ws/agent`);
  const [, response] = await once(socket, "unexpected-response");
  expect(response.statusCode).toBe(503);
  gate.open({ request: (_req, res) => res.end("ready"), upgrade: (_req, socket) => socket.destroy() });
  expect(await (await fetch(`http://${address}/readyz`)).text()).toBe("ready");
});

test("[O41] one that stands by lives, is not ready, and says in every form who is active", async () => {
  gate.open({ request: (_req, res) => res.end("ready"), upgrade: (_req, socket) => socket.destroy() });
  const message = "Another control plane is active: <head>.";
  gate.turnAway(message);
  const ask = (path: string, accept = "*/*") => fetch(`http://${address}${path}`, { headers: { accept } });
  expect((await ask("/healthz")).status).toBe(200);
  const ready = await ask("/readyz");
  expect([ready.status, await ready.json()]).toEqual([503, { ready: false, message }]);
  const call = await ask("/api/trpc/jobs.list", "text/html");
  expect(call.status).toBe(503);
  expect(await call.json()).toMatchObject({
    error: { code: "unavailable", message, data: { nexusCode: "unavailable" } },
  });
  const page = await ask("/jobs", "text/html");
  expect([page.status, page.headers.get("content-type")]).toEqual([503, "text/html; charset=utf-8"]);
  expect(await page.text()).toContain("Another control plane is active: &lt;head&gt;.");
});
