import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createConnection, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { TUNNEL_WINDOW_BYTES, TUNNELS_MAX } from "@nexus/shared/protocol/limits";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import type { Child } from "../harness/child.ts";
import { Nexus, type NexusAgent } from "../harness/nexus.ts";
import { until } from "../harness/until.ts";

const MIB = 1024 * 1024;

/** However it ended. */
const ended = (socket: Socket) =>
  socket.closed ? Promise.resolve() : new Promise<void>((resolve) => socket.once("close", () => resolve()));

describe("a service of a node, reached by its agent", () => {
  let nexus: Nexus;
  let agent: NexusAgent;
  beforeAll(async () => {
    nexus = await Nexus.start();
    agent = await nexus.addAgent({ name: "gpu1" });
  });
  afterAll(async () => {
    await nexus?.dispose();
  });

  const policyFile = () => join(agent.home, "policy.json");

  async function service(
    serve: (socket: Socket) => void,
    host = "127.0.0.1",
  ): Promise<{ server: Server; port: number }> {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on("error", () => undefined);
      serve(socket);
    }).listen(0, host);
    onTestFinished(() => void server.close());
    await once(server, "listening");
    return { server, port: (server.address() as AddressInfo).port };
  }

  const echo = () => service((socket) => socket.pipe(socket));

  /** @returns the local ports that lead there, once they do. */
  async function forward(...args: string[]): Promise<{ command: Child; ports: number[] }> {
    const command = nexus.cli(["port-forward", "gpu1", ...args]);
    onTestFinished(async () => void (await command.kill("SIGINT")));
    const wanted = args.filter((arg) => /^\d/.test(arg)).length;
    const isUp = new RegExp(`(^127\\.0\\.0\\.1:\\d+ leads to .*\\n){${wanted}}`, "m");
    await command.says(isUp);
    return {
      command,
      ports: [...command.stdout.matchAll(/^127\.0\.0\.1:(\d+)/gm)].map(([, port]) => Number(port)),
    };
  }

  async function dial(port: number | undefined): Promise<Socket> {
    const socket = createConnection({ host: "127.0.0.1", port: port ?? 0, allowHalfOpen: true });
    socket.on("error", () => undefined);
    onTestFinished(() => void socket.destroy());
    // One that is refused at once may be over before it is told as open.
    await Promise.race([once(socket, "connect"), ended(socket)]).catch(() => undefined);
    return socket;
  }

  /** A connection to an echo. The tunnels of an earlier test end in their own time, and each holds its place until then. */
  function carried(port: number | undefined): Promise<Socket> {
    return until("a connection is carried", async () => {
      const socket = await dial(port);
      return (await isEchoed(socket)) && socket;
    });
  }

  async function isEchoed(socket: Socket): Promise<boolean> {
    const echoed = once(socket, "data").then(
      () => true,
      () => false,
    );
    socket.write("x");
    return await Promise.race([echoed, ended(socket).then(() => false)]);
  }

  async function says(port: number | undefined, text: string): Promise<string> {
    const socket = await dial(port);
    socket.end(text);
    return String(await buffer(socket));
  }

  it("[P50] 100 MB go both ways at once, byte for byte, and an end one way leaves the other open", async () => {
    const piece = randomBytes(MIB);
    const total = 100;
    const wanted = createHash("sha256");
    for (let sent = 0; sent < total; sent += 1) wanted.update(piece);
    const digest = wanted.digest("hex");
    const got = Promise.withResolvers<string>();
    const { port } = await service((socket) => {
      const hash = createHash("sha256");
      socket.on("data", (bytes) => hash.update(bytes)).on("end", () => got.resolve(hash.digest("hex")));
      pour(socket).then(
        async () => {
          // What comes after the other way's end arrives too.
          await got.promise;
          socket.end("last");
        },
        // The connection that only asked whether somebody listens.
        () => undefined,
      );
    });
    async function pour(socket: Socket): Promise<void> {
      for (let sent = 0; sent < total; sent += 1) if (!socket.write(piece)) await once(socket, "drain");
    }
    const { ports } = await forward(`0:${port}`);
    const socket = await dial(ports[0]);
    const back = createHash("sha256");
    let length = 0;
    let end = "";
    socket.on("data", (bytes: Buffer) => {
      const rest = Math.max(0, total * MIB - length);
      back.update(bytes.subarray(0, rest));
      end += bytes.subarray(rest);
      length += bytes.length;
    });
    void pour(socket).then(() => socket.end());
    await once(socket, "end");
    expect([await got.promise, back.digest("hex"), end]).toEqual([digest, digest, "last"]);
  });

  it("[P51] who does not read stops their own tunnel; the others, jobs and their logs go on", async () => {
    const floods: Socket[] = [];
    const flood = await service((socket) => {
      floods.push(socket);
      const write = () => {
        while (socket.write(Buffer.alloc(MIB)));
      };
      socket.on("drain", write);
      write();
    });
    const sink = await service((socket) => socket.pause());
    const { port } = await echo();
    const { ports } = await forward(`0:${flood.port}`, `0:${sink.port}`, `0:${port}`);
    const stuck = await dial(ports[0]);
    stuck.pause();
    const pushing = await dial(ports[1]);
    while (pushing.write(Buffer.alloc(MIB)));
    await until(
      "the flood stands",
      async () => floods.at(-1)?.writableNeedDrain && (floods.at(-1)?.bytesWritten ?? 0) > 0,
    );
    const before = () => floods.at(-1)?.bytesWritten ?? 0;
    const large = randomBytes(8 * MIB);
    for (let round = 0; round < 3; round += 1) {
      const socket = await dial(ports[2]);
      const back = buffer(socket);
      socket.end(large);
      expect(Buffer.compare(await back, large)).toBe(0);
    }
    const job = await nexus.submit({ command: ["sh", "-c", "seq 20000"], target: "gpu1", gpus: 0 });
    expect((await nexus.ended(job.id)).state).toBe("succeeded");
    expect((await nexus.log(job.id)).length).toBe(108_894);
    // Three windows, and what the kernel and Node keep of each of the sockets between.
    expect(before()).toBeLessThan(3 * TUNNEL_WINDOW_BYTES + 32 * MIB);
    expect((await nexus.call("targets.get", { target: "gpu1" })).state).toBe("connected");
  });

  it("[P50] a hundred connections at once each get their own bytes", async () => {
    const { port } = await echo();
    const { ports } = await forward(`0:${port}`);
    const texts = Array.from({ length: 100 }, (_, at) => `connection ${at} `.repeat(1000));
    expect(await Promise.all(texts.map((text) => says(ports[0], text)))).toEqual(texts);
  });

  it("[B7] a node's tunnels are limited: one more is refused with why, and jobs do not feel it", async () => {
    const { port } = await echo();
    const first = await forward(`0:${port}`);
    const second = await forward(`0:${port}`);
    for (let at = 0; at < TUNNELS_MAX; at += 1) await carried((at % 2 ? first : second).ports[0]);
    expect(await isEchoed(await dial(first.ports[0]))).toBe(false);
    await first.command.says(`gpu1 carries ${TUNNELS_MAX} tunnels at once already`);
    const job = await nexus.submit({ command: ["true"], target: "gpu1", gpus: 0 });
    expect((await nexus.ended(job.id)).state).toBe("succeeded");
  });

  it("[P52] a lost agent breaks its tunnels with a sentence, never with a good end; when it is back new ones work", async () => {
    const { port } = await echo();
    const { command, ports } = await forward(`0:${port}`);
    const socket = await carried(ports[0]);
    const broken = once(socket, "error");
    await agent.kill("SIGKILL");
    expect((await broken)[0]).toMatchObject({ code: "ECONNRESET" });
    await command.says("The connection to gpu1 was lost");
    const offline = await dial(ports[0]);
    const refused = ended(offline);
    await command.says("gpu1 is not connected");
    await refused;
    const direct = nexus.cli(["port-forward", "gpu1", `0:${port}`]);
    expect([await direct.exit(), direct.stderr]).toEqual([
      69,
      expect.stringContaining("gpu1 is not connected"),
    ]);
    agent.start();
    await nexus.targetConnected("gpu1");
    await until("new ones work", async () => (await says(ports[0], "again")) === "again");
  });

  it("[P52] a lost control plane breaks them likewise, and the same command goes on when it is back", async () => {
    const { port } = await echo();
    const { command, ports } = await forward(`0:${port}`);
    const socket = await carried(ports[0]);
    const broken = once(socket, "error");
    await nexus.server.kill("SIGKILL");
    expect((await broken)[0]).toMatchObject({ code: "ECONNRESET" });
    await command.says(/The connection to http.* was lost/);
    await nexus.startServer();
    await nexus.targetConnected("gpu1");
    await until("new ones work", async () => (await says(ports[0], "again")) === "again");
  });

  it("[P53] what the node's policy.json forbids is refused with why, at once and without a restart", async () => {
    onTestFinished(() => rmSync(policyFile(), { force: true }));
    const { port } = await echo();
    const beyond = await service((socket) => socket.end("beyond"), "127.0.0.2");
    const refused = async (...ports: string[]) => {
      const command = nexus.cli(["port-forward", "gpu1", ...ports]);
      return `${await command.exit()} ${command.stderr}`;
    };
    const other = `0:127.0.0.2:${beyond.port}`;
    expect(await refused(other)).toMatch(
      /^77 .*gpu1 does not allow this: .*unless its policy\.json names 127\.0\.0\.2:/,
    );
    writeFileSync(
      policyFile(),
      JSON.stringify({ tunnels: { hosts: [`127.0.0.2:${beyond.port}`], ports: [port] } }),
    );
    const { ports } = await forward(other, `0:${port}`);
    expect(await says(ports[0], "")).toBe("beyond");
    expect(await says(ports[1], "own")).toBe("own");
    expect(await refused("0:22")).toMatch(/^77 .*policy\.json does not name port 22/);
    writeFileSync(policyFile(), JSON.stringify({ tunnels: false }));
    expect(await refused(`0:${port}`)).toMatch(/^77 .*policy\.json forbids tunnels/);
    writeFileSync(policyFile(), "tunnels: no");
    expect(await refused(`0:${port}`)).toMatch(/^77 .*policy\.json cannot be followed/);
    const status = agent.command(["status"]);
    await status.exit();
    expect(status.stdout).toMatch(/Tunnels +forbidden: .*policy\.json/);
    // The control plane hears of it too, for the way over SSH.
    const told = async () => (await nexus.call("targets.get", { target: "gpu1" })).facts?.tunnels;
    await until("it is told", async () => (await told()) === "forbidden");
    rmSync(policyFile());
    await until("it is told again", async () => (await told()) === "open");
  });

  it("[N17] what cannot be is refused with what to do, before and while it runs", async () => {
    const refusal = async (...args: string[]) => {
      const command = nexus.cli(["port-forward", ...args]);
      return `${await command.exit()} ${command.stderr}`;
    };
    const taken = await echo();
    expect(await refusal("gpu1", `${taken.port}:${taken.port}`)).toMatch(
      /^75 .*another program has it.*0:REMOTE/s,
    );
    expect(await refusal("gpu1", "0:1")).toMatch(/^65 .*Nothing listens on port 1 of gpu1/);
    expect(await refusal("gpu9", "0:1")).toMatch(/^66 .*no target gpu9/);
    expect(await refusal("gpu1", "--via", "ssh", "0:1")).toMatch(/^65 .*no key .*--keep-key/);
    for (const wrong of ["x", "1:2:3:4", "70000", "0:0", "0", "1:", ":1", "1:a b:2"])
      expect(await refusal("gpu1", wrong)).toMatch(/^64 .*write LOCAL:REMOTE/);
    expect(await refusal("gpu1")).toMatch(/^64 .*missing required argument/);
    const one = await service((socket) => socket.end("one"));
    const two = await service((socket) => socket.end("two"), "::1");
    const { command, ports } = await forward(`0:${one.port}`, `0:${two.port}`);
    expect([await says(ports[0], ""), await says(ports[1], "")]).toEqual(["one", "two"]);
    two.server.close();
    const gone = await dial(ports[1]);
    await ended(gone);
    await command.says(`Nothing listens on port ${two.port} of gpu1`);
    expect(await says(ports[0], "")).toBe("one");
    expect(await command.kill("SIGINT")).toBe(0);
  });

  it("[A42] members reach services, and what they reach is in the audit; who loses the right loses the tunnel", async () => {
    const { port } = await echo();
    const key = await nexus.call("apiKeys.create", { name: "forward", role: "member" });
    const viewer = await nexus.call("apiKeys.create", { name: "look", role: "viewer" });
    const env = (secret: string) => ({ env: { NEXUS_URL: nexus.url, NEXUS_API_KEY: secret } });
    const looking = nexus.cli(["port-forward", "gpu1", `0:${port}`], env(viewer.secret));
    expect([await looking.exit(), looking.stderr]).toEqual([77, expect.stringContaining("role member")]);
    const command = nexus.cli(["port-forward", "gpu1", `0:${port}`], env(key.secret));
    onTestFinished(async () => void (await command.kill("SIGINT")));
    await command.says(/leads to/);
    const socket = await carried(Number(/:(\d+) leads/.exec(command.stdout)?.[1]));
    const events = await nexus.call("audit.list", {});
    expect(
      events.filter(({ action }) => action === "target.port_forwarded").map(({ detail }) => detail),
    ).toContain(`Port ${port} of gpu1 is reached through the control plane, by its agent.`);
    const broken = once(socket, "error");
    await nexus.call("apiKeys.revoke", { id: key.apiKey.id });
    expect((await broken)[0]).toMatchObject({ code: "ECONNRESET" });
    await command.says("You may do this no longer");
  });
});
