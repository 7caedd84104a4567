/**
 * The Nexus that a chaos run torments: a control plane on its own embedded Postgres and several agents, all in one folder,
 * with a network between them that can fail.
 *
 * Owns: the processes, the mounts and the proxy. What dies is started again at once, as a service manager would; who died
 * without being killed by us is written down, since that is a finding. Closing it ends everything, and says what was left.
 */
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { InputOf, OutputOf, ProcedureName } from "@nexus/shared/api/contract";
import { parseRecord } from "../../apps/agent/src/core/attempt-record.ts";
import { connect } from "../../apps/web/src/server/db/client.ts";
import { DATABASE_NAME, DATABASE_USER } from "../../apps/web/src/server/db/embedded/init-data.ts";
import { findServerProcesses } from "../../apps/web/src/server/db/embedded/server-process.ts";
import type { Child } from "../harness/child.ts";
import { freePort } from "../harness/free-port.ts";
import { Nexus, type NexusAgent } from "../harness/nexus.ts";
import { CuttingProxy } from "./cutting-proxy.ts";
import { NamespaceNetwork } from "./namespace-network.ts";
import { pause } from "./pause.ts";
import { processes, signalTo } from "./processes.ts";
import type { SeededRandom } from "./seeded-random.ts";
import { SmallDisk } from "./small-disk.ts";
import { socketOwner } from "./socket-owner.ts";

export type Node = {
  name: string;
  agent: NexusAgent;
  disk: SmallDisk | null;
  network: NamespaceNetwork | null;
  isDown: boolean;
};

export type HouseOptions = {
  folder: string;
  agents: number;
  random: SeededRandom;
  /** Homes and logs on disks of their own, which can be filled. Needs the right to mount. */
  hasDisks: boolean;
  /** Nodes with a network of their own. Needs the right to make namespaces. */
  hasNamespaces: boolean;
  /** What agents run under: a library that fakes their clock. */
  agentEnv(name: string): Record<string, string>;
  serverEnv: Record<string, string>;
};

type Sql = ReturnType<typeof connect>;

/** Any answer that is not a refusal of what was asked: asked again. */
const ASK_AGAIN_MS = 100;
const CALL_TIMEOUT_MS = 10_000;
/** As systemd's own default. */
const RESTART_AFTER_MS = 100;
/** Answers to a good question at a bad time. */
const PASSING = new Set(["unavailable", "internal", "rate_limited", "disk_full"]);
const HOME_MIB = 256;
const LOGS_MIB = 4_096;
const DATABASE_MIB = 3_072;

export class House {
  readonly nodes: Node[] = [];
  /** Processes that ended though nobody killed them. */
  readonly ownEnds: string[] = [];
  readonly folder: string;
  logsDisk: SmallDisk | null = null;
  databaseDisk: SmallDisk | null = null;
  /** While a fault leaves the control plane nothing to stand on. */
  mayServerEnd = false;
  readonly #killed = new WeakSet<Child>();
  #isClosing = false;
  /** While a fault wants the control plane down. */
  isServerHeld = false;

  readonly nexus: Nexus;
  readonly proxy: CuttingProxy;
  readonly options: HouseOptions;

  private constructor(nexus: Nexus, proxy: CuttingProxy, options: HouseOptions) {
    this.nexus = nexus;
    this.proxy = proxy;
    this.options = options;
    this.folder = options.folder;
  }

  static async open(options: HouseOptions): Promise<House> {
    const { folder, hasDisks, random } = options;
    const serverPort = await freePort();
    let house: House | null = null;
    const proxy = await CuttingProxy.open({
      serverPort,
      random: random.fork("network"),
      whose: (port) => house?.nodeAt(port) ?? null,
    });
    const home = join(folder, "control-plane");
    const logs = join(home, "logs");
    mkdirSync(logs, { recursive: true, mode: 0o700 });
    const disk = hasDisks ? SmallDisk.mount(logs, LOGS_MIB) : null;
    const database = join(home, "postgres");
    mkdirSync(database, { mode: 0o711 });
    const databaseDisk = hasDisks ? SmallDisk.mount(database, DATABASE_MIB, "0711") : null;
    const nexus = await Nexus.start(
      {
        NEXUS_PORT: String(serverPort),
        NEXUS_PUBLIC_URL: `http://127.0.0.1:${proxy.port}`,
        ...options.serverEnv,
      },
      home,
    );
    house = new House(nexus, proxy, options);
    house.logsDisk = disk;
    house.databaseDisk = databaseDisk;
    house.#direct();
    void house.#keepServer();
    await Promise.all(Array.from({ length: options.agents }, (_, i) => house.#addNode(`node${i + 1}`)));
    return house;
  }

  async #addNode(name: string): Promise<void> {
    const home = join(this.folder, name);
    mkdirSync(home, { mode: 0o700 });
    const disk = this.options.hasDisks ? SmallDisk.mount(home, HOME_MIB) : null;
    const env = { NEXUS_GPUS: "sim:4x80GiB", ...this.options.agentEnv(name) };
    const network = this.options.hasNamespaces ? await this.#openNetwork(name) : null;
    const agent = await this.nexus.addAgent({ name, home, env, prefix: network?.prefix ?? [] });
    const node: Node = { name, agent, disk, network, isDown: false };
    this.nodes.push(node);
    void this.#keepAgent(node);
  }

  async #openNetwork(name: string): Promise<NamespaceNetwork> {
    const socketPath = join(this.folder, `${name}.sock`);
    await this.proxy.listenAt(socketPath);
    return await NamespaceNetwork.open({ port: this.proxy.port, socketPath });
  }

  /** Tests talk to the control plane itself, whatever happens to the nodes' network. */
  #direct(): void {
    const port = this.nexus.serverPort;
    this.nexus.url = `http://127.0.0.1:${port}`;
  }

  nodeAt(port: number): string | null {
    const pids = this.nodes.flatMap(({ agent }) => agent.child.process.pid ?? []);
    const pid = socketOwner(port, pids);
    return this.nodes.find(({ agent }) => pid !== null && agent.child.process.pid === pid)?.name ?? null;
  }

  node(name: string): Node {
    const node = this.nodes.find((one) => one.name === name);
    if (!node) throw new Error(`there is no node ${name}`);
    return node;
  }

  async #keepServer(): Promise<void> {
    for (;;) {
      const { server } = this.nexus;
      this.#listen("control-plane", server);
      const code = await server.exit();
      if (this.#isClosing) return;
      this.#note("the control plane", server, code);
      for (;;) {
        await pause(RESTART_AFTER_MS);
        while (this.isServerHeld && !this.#isClosing) await pause(ASK_AGAIN_MS);
        if (this.#isClosing) return;
        try {
          await this.nexus.startServer();
          this.#direct();
          break;
        } catch (error) {
          this.log(`control plane did not start: ${String(error).slice(0, 500)}`);
          if (!this.#killed.has(this.nexus.server) && !this.mayServerEnd)
            this.ownEnds.push(`control plane did not start: ${error}`);
        }
      }
    }
  }

  async #keepAgent(node: Node): Promise<void> {
    for (;;) {
      const { child } = node.agent;
      this.#listen(node.name, child);
      const code = await child.exit();
      if (this.#isClosing) return;
      this.#note(node.name, child, code);
      await pause(RESTART_AFTER_MS);
      while (node.isDown && !this.#isClosing) await pause(ASK_AGAIN_MS);
      if (this.#isClosing) return;
      node.agent.start();
    }
  }

  /** All that it says goes into a file, while it says it. */
  #listen(who: string, child: Child): void {
    const path = join(this.folder, `${who}.out`);
    const write = (bytes: Buffer) => appendFileSync(path, bytes);
    child.process.stdout?.on("data", write);
    child.process.stderr?.on("data", write);
  }

  #note(who: string, child: Child, code: number): void {
    this.log(`${who} ended with ${code}`);
    if (!this.#killed.has(child) && !this.mayServerEnd)
      this.ownEnds.push(`${who} ended by itself with ${code}`);
  }

  /** @param mayEnd what stands on it ends too, and that is no finding. */
  killServer(): void {
    this.#killed.add(this.nexus.server);
    this.nexus.server.process.kill("SIGKILL");
  }

  /** Without its database the control plane ends, and says so. */
  killPostgres(): void {
    this.#killed.add(this.nexus.server);
    const pid = this.postmaster();
    if (pid !== null) signalTo(pid, "SIGKILL");
  }

  killAgent(node: Node): void {
    this.#killed.add(node.agent.child);
    node.agent.child.process.kill("SIGKILL");
  }

  killLauncher(node: Node): number {
    const mark = `${node.agent.home}/launcher-`;
    // It leads its session; the supervisors that it forked look the same otherwise.
    const pids = processes().filter(
      ({ pid, session, command }) =>
        pid === session && command.includes(mark) && command.includes(" launch "),
    );
    return pids.filter(({ pid }) => signalTo(pid, "SIGKILL")).length;
  }

  postmaster(): number | null {
    const path = join(this.nexus.home, "postgres/data/postmaster.pid");
    if (!existsSync(path)) return null;
    const pid = Number(readFileSync(path, "utf8").split("\n")[0]);
    return Number.isInteger(pid) && pid > 0 ? pid : null;
  }

  postgresProcesses(): number[] {
    return findServerProcesses(join(this.nexus.home, "postgres/data"));
  }

  /** Attempts on this node that a supervisor runs now, by supervisor. */
  supervisors(node: Node): Map<number, string[]> {
    const bySupervisor = new Map<number, string[]>();
    const folder = join(node.agent.home, "attempts");
    for (const file of readdirSync(folder)) {
      if (!file.endsWith(".record")) continue;
      try {
        const { claim, end } = parseRecord(readFileSync(join(folder, file), "latin1"));
        if (claim === null || end !== null) continue;
        const attempt = file.slice(0, -".record".length);
        bySupervisor.set(claim.pid, [...(bySupervisor.get(claim.pid) ?? []), attempt]);
      } catch {
        // It is being forgotten.
      }
    }
    return bySupervisor;
  }

  /** Asks until there is an answer: people and scripts do so too. Refusals of what was asked are thrown, a full disk is none. */
  async call<P extends ProcedureName>(name: P, input: InputOf<P>, limitMs = 900_000): Promise<OutputOf<P>> {
    const deadline = performance.now() + limitMs;
    for (;;) {
      try {
        return await this.nexus.call(name, input, AbortSignal.timeout(CALL_TIMEOUT_MS));
      } catch (error) {
        const code = (error as { nexusCode?: string }).nexusCode;
        if (code === "internal") this.ownEnds.push(`${name} was answered with a fault of ours: ${error}`);
        const isRefused = code !== undefined && !PASSING.has(code);
        if (isRefused || performance.now() > deadline) throw error;
        await pause(ASK_AGAIN_MS);
      }
    }
  }

  /** Straight into the database: what it holds is the truth. */
  async query<T>(read: (sql: Sql) => Promise<T>): Promise<T> {
    const deadline = performance.now() + 120_000;
    for (;;) {
      const sql = connect(
        { socketDir: join(this.nexus.home, "postgres/run"), user: DATABASE_USER, database: DATABASE_NAME },
        { max: 1 },
      );
      try {
        return await read(sql);
      } catch (error) {
        if (performance.now() > deadline) throw error;
        await pause(ASK_AGAIN_MS);
      } finally {
        await sql.end({ timeout: 1 });
      }
    }
  }

  log(text: string): void {
    appendFileSync(join(this.folder, "house.log"), `${new Date().toISOString()} ${text}\n`);
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    for (const pid of this.postgresProcesses()) signalTo(pid, "SIGCONT");
    this.nexus.server.process.kill("SIGCONT");
    for (const { agent, network } of this.nodes) {
      agent.child.process.kill("SIGCONT");
      await agent.kill("SIGTERM");
      await network?.close();
    }
    await this.nexus.server.kill("SIGTERM");
    await this.proxy.close();
  }

  unmount(): void {
    for (const { disk } of this.nodes) disk?.unmount();
    this.logsDisk?.unmount();
    this.databaseDisk?.unmount();
  }
}
