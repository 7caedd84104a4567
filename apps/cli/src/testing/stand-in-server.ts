import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import type { InputOf, OutputOf, ProcedureName } from "@nexus/shared/api/contract";
import type { Job, Queue } from "@nexus/shared/api/schemas";
import { ERROR_TABLE, NexusError } from "@nexus/shared/errors";

/**
 * A stand-in for the control plane, for what the real one does not do on demand: breaking off, redirecting, sending names full of
 * control characters. What both do alike is tried against the real one in `tests/scenarios`.
 */
export type Answers = { [P in ProcedureName]?: (input: InputOf<P>) => OutputOf<P> | Promise<OutputOf<P>> };

export type StandIn = {
  url: string;
  calls: { name: string; input: unknown }[];
  requests: { url: string; authorization: string | undefined }[];
  answers: Answers;
  /** Serves the raw log; the default is an empty, ended one. */
  log: (req: IncomingMessage, res: ServerResponse, query: URLSearchParams) => void | Promise<void>;
  /** Serves everything instead, when set. */
  instead: ((req: IncomingMessage, res: ServerResponse) => void) | null;
  close(): Promise<void>;
};

export async function startStandIn(): Promise<StandIn> {
  const server = createServer((req, res) => {
    answer(req, res).catch((cause: unknown) => {
      const refusal =
        cause instanceof NexusError ? cause : new NexusError("internal", { detail: String(cause) });
      const { http, trpc } = ERROR_TABLE[refusal.code];
      const error = { message: refusal.message, data: { code: trpc, nexusCode: refusal.code } };
      res.writeHead(http, { "content-type": "application/json" }).end(JSON.stringify({ error }));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");

  const standIn: StandIn = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls: [],
    requests: [],
    answers: {},
    log: (_req, res) => {
      res.writeHead(200, { "x-log-offset": "0", "x-log-size": "0", "x-log-end": "1" }).end();
    },
    instead: null,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };

  async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    standIn.requests.push({ url: req.url ?? "", authorization: req.headers.authorization });
    if (standIn.instead) {
      standIn.instead(req, res);
      return;
    }
    const url = new URL(req.url ?? "", "http://host");
    const facts = { "/readyz": { ready: true, problems: [] }, "/api/v1/version": { version: "0.1.0" } };
    if (url.pathname in facts) {
      const fact = facts[url.pathname as keyof typeof facts];
      res.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(fact));
      return;
    }
    if (url.pathname.startsWith("/api/v1/jobs/")) {
      if (req.method === "POST")
        standIn.calls.push({ name: url.pathname, input: JSON.parse(await text(req)) });
      await standIn.log(req, res, url.searchParams);
      return;
    }
    const name = url.pathname.slice("/api/trpc/".length) as ProcedureName;
    const body = await text(req);
    const input: unknown = body === "" ? undefined : JSON.parse(body);
    standIn.calls.push({ name, input });
    const procedure = standIn.answers[name] as ((input: unknown) => unknown) | undefined;
    if (!procedure) throw new NexusError("not_found", { detail: `the stand-in has no ${name}` });
    const data = await procedure(input);
    res.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ result: { data } }));
  }
  return standIn;
}

export function standInJob(change: Partial<Job> = {}): Job {
  return {
    id: "j_0000000001",
    name: null,
    state: "running",
    command: ["true"],
    env: {},
    cwd: null,
    gpus: 0,
    gpuMemoryMib: null,
    gpuModel: null,
    timeoutMs: null,
    graceMs: 10_000,
    retry: null,
    wantedTarget: null,
    labels: {},
    queue: "default",
    priority: 0,
    user: { id: "u_1", name: "ada" },
    target: { id: "t_1", name: "local" },
    gpuUuids: [],
    attempt: "a_1",
    attemptNumber: 1,
    reason: null,
    exitCode: null,
    signal: null,
    message: null,
    cancelRequested: false,
    logBytes: 0,
    logTroubles: [],
    createdAtMs: 0,
    assignedAtMs: 0,
    startedAtMs: 0,
    endedAtMs: null,
    unreachableSinceMs: null,
    ...change,
  };
}

export function standInQueue(change: Partial<Queue> = {}): Queue {
  return {
    name: "default",
    priority: 0,
    paused: false,
    runningMax: null,
    gpusMax: null,
    userRunningMax: null,
    userGpusMax: null,
    selector: { labels: {}, targets: [] },
    targetsSelected: 1,
    queued: 0,
    running: 0,
    gpusHeld: 0,
    waitsLongest: null,
    ...change,
  };
}
