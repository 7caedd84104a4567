import { once } from "node:events";
import { createServer, type Server } from "node:http";
import {
  type AddressInfo,
  createConnection,
  createServer as createService,
  type Server as Service,
  type Socket,
} from "node:net";
import { text } from "node:stream/consumers";
import { encodeFrame } from "@nexus/shared/protocol/frame";
import type { TunnelAsk } from "@nexus/shared/protocol/messages";
import { readTunnelAnswer } from "@nexus/shared/protocol/read-message";
import type { TunnelMux } from "@nexus/shared/tunnel/tunnel-mux";
import { carryTunnels } from "@nexus/shared/tunnel/tunnel-socket";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { WebSocket } from "ws";
import { createPeopleSocketServer } from "../gateway/people-socket-server.ts";
import { createApiLimits } from "./api-limits.ts";
import { startTestApi, type TestApi } from "./testing/test-api.ts";
import { addTestPerson, addTestTeam, type TestPerson } from "./testing/test-people.ts";
import { createTunnelRoute, type TunnelRoute } from "./tunnel-route.ts";

const TIMING = { timeoutMs: 10_000, lateText: "late" };

describe("the socket of port-forward", () => {
  let api: TestApi;
  let server: Server;
  let route: TunnelRoute;
  let servicePort: number;
  let service: Service;
  let ada: TestPerson;
  let bob: TestPerson;
  /** What is opened breaks before that is told, as a reset while the audit is written. */
  let isBrokenEarly = false;

  beforeAll(async () => {
    api = await startTestApi();
    const team = await addTestTeam(api.ctx, "one");
    ada = await addTestPerson(api.ctx, team, "owner");
    bob = await addTestPerson(api.ctx, team, "member");
    service = createService((socket) => socket.on("error", () => undefined).pipe(socket));
    service.listen(0, "127.0.0.1");
    await once(service, "listening");
    servicePort = (service.address() as AddressInfo).port;
    route = createTunnelRoute({
      parts: { ...api.parts, limits: createApiLimits({ tunnels: { totalMax: 3, personMax: 2 } }) },
      authenticator: api.authenticator,
      sockets: createPeopleSocketServer(),
      tunnels: {
        async open(_principal, { to }) {
          const stream = createConnection({ host: "127.0.0.1", port: to.port });
          await once(stream, "connect");
          if (isBrokenEarly) await once(stream.destroy(), "close");
          return { stream };
        },
      },
    });
    server = createServer().on("upgrade", route.upgrade).listen(0, "127.0.0.1");
    await once(server, "listening");
    return () => void service.close();
  });
  afterAll(async () => {
    route.close();
    server.close();
    await api?.close();
  });

  const url = (query = "target=gpu1") =>
    `ws://127.0.0.1:${(server.address() as AddressInfo).port}/ws/tunnel?${query}`;

  async function connect({ key }: TestPerson): Promise<{ socket: WebSocket; mux: TunnelMux }> {
    const socket = new WebSocket(url(), { headers: { authorization: `Bearer ${key}` } });
    onTestFinished(() => socket.terminate());
    await once(socket, "open");
    const mux = carryTunnels<TunnelAsk>(socket, {
      read: readTunnelAnswer,
      tunnelsMax: 100,
      limitText: () => "full",
      endText: (code) => `ended with ${code}`,
    });
    return { socket, mux };
  }
  const open = async (mux: TunnelMux) =>
    (await mux.open({ host: "localhost", port: servicePort }, TIMING)).stream;

  it("[B8] tunnels beyond a person's share are refused, and a place is free as soon as one ended", async () => {
    const own = [await connect(ada), await connect(ada)];
    const first = await open((own[0] as { mux: TunnelMux }).mux);
    await open((own[1] as { mux: TunnelMux }).mux);
    await expect(open((own[0] as { mux: TunnelMux }).mux)).rejects.toMatchObject({
      code: "rate_limited",
      message: expect.stringContaining("You have 2 tunnels open"),
    });
    const { mux } = await connect(bob);
    await open(mux);
    await expect(open(mux)).rejects.toMatchObject({
      code: "unavailable",
      message: expect.stringContaining("3 tunnels"),
    });
    first.end("x");
    expect(await text(first)).toBe("x");
    await expect
      .poll(
        () =>
          open(mux).then(
            () => true,
            () => false,
          ),
        { timeout: 10_000 },
      )
      .toBe(true);
  });

  it("[B8] a tunnel that broke while it was opened holds no place", async () => {
    const dan = await addTestPerson(api.ctx, ada.principal.teamId, "member");
    const { mux } = await connect(dan);
    onTestFinished(() => {
      isBrokenEarly = false;
    });
    isBrokenEarly = true;
    for (let round = 0; round < 3; round += 1) {
      const stream = await open(mux);
      if (!stream.destroyed) await once(stream.resume(), "close").catch(() => undefined);
    }
    isBrokenEarly = false;
    const stream = await open(mux);
    stream.end("x");
    expect(await text(stream)).toBe("x");
  });

  it("[A42] only with a key, as a WebSocket, and by a way that there is", async () => {
    const statusOf = async (headers: Record<string, string>, query?: string) => {
      const asked = new WebSocket(url(query), { headers });
      const [, response] = await once(
        asked.on("error", () => undefined),
        "unexpected-response",
      );
      return response.statusCode;
    };
    const bearer = { authorization: `Bearer ${ada.key}` };
    expect(await statusOf({})).toBe(401);
    expect(await statusOf({ cookie: ada.cookie })).toBe(401);
    expect(await statusOf({ ...bearer, origin: api.origin })).toBe(401);
    expect(await statusOf(bearer, "target=gpu1&via=pigeon")).toBe(400);
  });

  it("[A42] who is no member any more loses the socket and what it carries, and gets no other", async () => {
    const cyd = await addTestPerson(api.ctx, ada.principal.teamId, "member");
    const { socket, mux } = await connect(cyd);
    const stream = await open(mux);
    const closed = once(socket, "close");
    const broken = once(stream, "error");
    await api.call("members.setRole", { userId: cyd.principal.userId, role: "viewer" }, ada.key);
    expect((await closed)[0]).toBe(4401);
    expect((await broken)[0]).toMatchObject({ message: "ended with 4401" });
    const again = new WebSocket(url(), { headers: { authorization: `Bearer ${cyd.key}` } });
    const [, response] = await once(
      again.on("error", () => undefined),
      "unexpected-response",
    );
    expect(response.statusCode).toBe(403);
  });

  it("[A42] who is no member any more is cut off from the service, also without an answer to the close", async () => {
    const eve = await addTestPerson(api.ctx, ada.principal.teamId, "member");
    const { socket, mux } = await connect(eve);
    const served = once(service, "connection") as Promise<[Socket]>;
    await open(mux);
    const [atService] = await served;
    // It does not read that the control plane closes, and so answers nothing.
    socket.pause();
    const cut = new Promise((resolve) => atService.once("close", resolve));
    await api.call("members.setRole", { userId: eve.principal.userId, role: "viewer" }, ada.key);
    await cut;
    expect(socket.readyState).toBe(WebSocket.OPEN);
  });

  it("[P12] what comes after something that is no message of a tunnel opens nothing", async () => {
    const { socket } = await connect(bob);
    const served = vi.fn();
    service.on("connection", served);
    const closed = once(socket, "close");
    socket.send("hello");
    socket.send(encodeFrame({ type: "tunnel_open", tunnel: 0, host: "localhost", port: servicePort }));
    expect((await closed)[0]).toBe(4400);
    // Whatever that one began is past the same doors before this one.
    const { mux } = await connect(bob);
    await open(mux);
    expect(served).toHaveBeenCalledOnce();
  });

  it("[P12] what is no message of a tunnel ends the socket", async () => {
    const { socket } = await connect(bob);
    const closed = once(socket, "close");
    socket.send("hello");
    expect((await closed)[0]).toBe(4400);
  });
});
