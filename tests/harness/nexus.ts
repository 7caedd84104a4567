/**
 * A whole Nexus in real processes: control plane on an embedded Postgres in a temporary home, agents in homes of their own.
 * It runs what people run, the built bundles, and reaches it as people do: HTTP with a key, the CLI, signals.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  contract,
  type ErrorData,
  type InputOf,
  type OutputOf,
  type ProcedureName,
} from "@nexus/shared/api/contract";
import type { Job } from "@nexus/shared/api/schemas";
import { trustCertificate } from "@nexus/shared/crypto/trust-certificate";
import { isFinal } from "@nexus/shared/machines/job";
import { Child } from "./child.ts";
import { freePort } from "./free-port.ts";
import { until } from "./until.ts";

export const root = join(import.meta.dirname, "../..");
export const SERVER = join(root, "apps/web/dist/server.js");
export const AGENT = join(root, "apps/agent/dist/nexus-agent.js");
export const CLI = join(root, "apps/cli/dist/nexus.js");

/** No setting of the machine that runs the tests reaches what is tested. */
export function cleanEnv(extra: Record<string, string>): Record<string, string> {
  const kept = ["PATH", "HOME", "USER", "LANG", "TMPDIR", "SHELL"];
  const base = Object.fromEntries(
    kept.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])),
  );
  return { ...base, NEXT_TELEMETRY_DISABLED: "1", NO_COLOR: "1", NODE_ENV: "production", ...extra };
}

export class Nexus {
  readonly home: string;
  url = "";
  signInLink = "";
  #key = "";
  #server: Child | null = null;
  #port = "";
  readonly #env: Record<string, string>;
  readonly #agents: NexusAgent[] = [];

  private constructor(home: string, env: Record<string, string>) {
    this.home = home;
    this.#env = env;
  }

  /** @param home where it keeps what it has; a temporary folder when not given. */
  static async start(env: Record<string, string> = {}, home?: string): Promise<Nexus> {
    const nexus = new Nexus(home ?? (await mkdtemp(join(tmpdir(), "nexus-"))), env);
    // The agents know its address: it comes back on the same port.
    nexus.#port = String(await freePort());
    await nexus.startServer();
    return nexus;
  }

  async startServer(): Promise<void> {
    await rm(join(this.home, "run/up.json"), { force: true });
    const server = new Child([process.execPath, "--max-semi-space-size=2", SERVER], {
      env: cleanEnv({ NEXUS_HOME: this.home, NEXUS_PORT: this.#port, NEXUS_UP: "1", ...this.#env }),
    });
    this.#server = server;
    const ended = server.exit().then((code) => {
      throw new Error(`the control plane ended with ${code}:\n${server.stdout}${server.stderr}`);
    });
    ended.catch(() => undefined);
    const ready = until(
      "the control plane is ready",
      async () => JSON.parse(await readFile(join(this.home, "run/up.json"), "utf8")),
      60_000,
    );
    const up = await Promise.race([ready, ended]);
    if (up.certificate !== undefined) trustCertificate(up.certificate);
    this.url = up.url;
    this.signInLink = up.signInLink;
    this.#key = JSON.parse(await readFile(join(this.home, "cli.json"), "utf8")).servers.default.apiKey;
  }

  get server(): Child {
    if (!this.#server) throw new Error("the control plane was not started");
    return this.#server;
  }

  get serverPort(): string {
    return this.#env.NEXUS_PORT ?? this.#port;
  }

  get apiKey(): string {
    return this.#key;
  }

  async call<P extends ProcedureName>(
    name: P,
    input: InputOf<P>,
    signal?: AbortSignal,
  ): Promise<OutputOf<P>> {
    const response = await this.rawCall(name, input, signal);
    const body = (await response.json()) as {
      result: { data: OutputOf<P> };
      error?: { message: string; data: ErrorData };
    };
    if (body.error) throw Object.assign(new Error(body.error.message), body.error.data);
    return body.result.data;
  }

  rawCall<P extends ProcedureName>(name: P, input: InputOf<P>, signal?: AbortSignal): Promise<Response> {
    const isQuery = contract[name].kind === "query";
    const query = isQuery && input !== undefined ? `?input=${encodeURIComponent(JSON.stringify(input))}` : "";
    return this.fetch(`/api/trpc/${name}${query}`, {
      method: isQuery ? "GET" : "POST",
      ...(signal === undefined ? {} : { signal }),
      ...(isQuery
        ? {}
        : { body: JSON.stringify(input ?? null), headers: { "content-type": "application/json" } }),
    });
  }

  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    headers.set("authorization", `Bearer ${this.#key}`);
    return fetch(this.url + path, { ...init, headers });
  }

  async submit(job: InputOf<"jobs.submit">["jobs"][number]): Promise<Job> {
    const { jobs } = await this.call("jobs.submit", { jobs: [job] });
    const [first] = jobs;
    if (!first) throw new Error("nothing was submitted");
    return first;
  }

  job(id: string): Promise<Job> {
    return this.call("jobs.get", { job: id });
  }

  async ended(id: string, limitMs = 60_000): Promise<Job> {
    return until(
      `job ${id} ends`,
      async () => {
        const job = await this.job(id);
        return isFinal(job.state) && job;
      },
      limitMs,
    );
  }

  async inState(id: string, state: Job["state"], limitMs = 30_000): Promise<Job> {
    return until(
      `job ${id} is ${state}`,
      async () => {
        const job = await this.job(id);
        return job.state === state && job;
      },
      limitMs,
    );
  }

  /** The whole log, once no byte can follow. */
  async log(id: string): Promise<Buffer> {
    const response = await this.fetch(`/api/v1/jobs/${id}/log?follow=1&offset=0`);
    if (!response.ok) throw new Error(`log of ${id}: ${response.status} ${await response.text()}`);
    return Buffer.from(await response.arrayBuffer());
  }

  cli(args: string[], options: { env?: Record<string, string>; input?: string } = {}): Child {
    return new Child([process.execPath, CLI, ...args], {
      env: cleanEnv({ NEXUS_HOME: this.home, ...options.env }),
      ...(options.input === undefined ? {} : { input: options.input }),
    });
  }

  /** Enrols and runs an agent in a home of its own. */
  async addAgent(
    options: {
      name?: string;
      labels?: Record<string, string>;
      env?: Record<string, string>;
      /** When it must be on a disk of its own. */
      home?: string;
      /** What its commands begin with, to run it elsewhere. */
      prefix?: string[];
    } = {},
  ): Promise<NexusAgent> {
    const { secret } = await this.call("enrollTokens.create", {
      ...(options.name === undefined ? {} : { name: options.name }),
      labels: options.labels ?? {},
    });
    const home = options.home ?? (await mkdtemp(join(tmpdir(), "nexus-agent-")));
    const agent = new NexusAgent(home, options.env ?? {}, options.prefix);
    this.#agents.push(agent);
    await agent.enroll(secret);
    agent.start();
    await this.targetConnected(options.name);
    return agent;
  }

  async targetConnected(name?: string): Promise<void> {
    await until(`target ${name ?? ""} is connected`, async () => {
      const { targets } = await this.call("fleet.list", undefined);
      return targets.some(
        (target) => target.state === "connected" && (name === undefined || target.name === name),
      );
    });
  }

  async dispose(): Promise<void> {
    for (const agent of this.#agents) await agent.dispose();
    await this.#server?.kill("SIGTERM");
    await rm(this.home, { recursive: true, force: true });
  }
}

export class NexusAgent {
  readonly home: string;
  readonly #env: Record<string, string>;
  readonly #prefix: string[];
  #child: Child | null = null;

  constructor(home: string, env: Record<string, string>, prefix: string[] = []) {
    this.home = home;
    this.#prefix = prefix;
    this.#env = cleanEnv({ NEXUS_AGENT_HOME: home, NEXUS_GPUS: "none", ...env });
  }

  command(args: string[], input?: string): Child {
    return new Child([...this.#prefix, process.execPath, AGENT, ...args], {
      env: this.#env,
      ...(input === undefined ? {} : { input }),
    });
  }

  async enroll(token: string): Promise<void> {
    const child = this.command(["enroll", "-", "--yes", "--allow-root"], `${token}\n`);
    const code = await child.exit();
    if (code !== 0) throw new Error(`enroll ended with ${code}:\n${child.stdout}${child.stderr}`);
  }

  start(): Child {
    this.#child = this.command(["run", "--allow-root"]);
    return this.#child;
  }

  get child(): Child {
    if (!this.#child) throw new Error("the agent was not started");
    return this.#child;
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    await this.child.kill(signal);
  }

  async dispose(): Promise<void> {
    if (this.#child?.isRunning) await this.kill("SIGTERM");
    await rm(this.home, { recursive: true, force: true });
  }
}
