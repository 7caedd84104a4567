import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { WebSocket } from "ws";
import { refuseUntilReady } from "./refuse-until-ready.ts";

test("[O37] who comes while the control plane starts is told to come again, and waits for nothing", async () => {
  const server = createServer();
  const open = refuseUntilReady(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const early = await fetch(`http://${address}/readyz`);
  expect([early.status, early.headers.get("retry-after")]).toEqual([503, "1"]);
  const socket = new WebSocket(`ws://${address}/ws/agent`);
  const [, response] = await once(socket, "unexpected-response");
  expect(response.statusCode).toBe(503);
  open();
  server.on("request", (_req, res) => res.end("ready"));
  expect(await (await fetch(`http://${address}/readyz`)).text()).toBe("ready");
  server.close();
  server.closeAllConnections();
});
