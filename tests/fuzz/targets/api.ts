import { METHODS, request } from "node:http";
import { contract, type ProcedureName } from "@nexus/shared/api/contract";
import { BrokenPromise, type FuzzTarget, type OpenTarget, SERVICE_LIMITS } from "../engine/fuzz-target.ts";
import type { Json } from "../engine/mutate-json.ts";
import { apiInputs, SECRET } from "../seeds/api-inputs.ts";
import { type ApiHouse, NAMES, named, openApiHouse } from "./api-house.ts";

const MIB = 1024 * 1024;
const PROCEDURES = Object.keys(contract) as ProcedureName[];
const INPUTS = apiInputs(NAMES);
/** The database is read whole after each refusal, so it must stay small. */
const INPUTS_PER_HOUSE = 400;
/** Each would be a row or more. */
const JOBS_SENT_MAX = 20;

/** `[procedure, input]`: every procedure, its input wrong in every way. */
export const apiTarget: FuzzTarget = {
  name: "api",
  format: "json",
  bytesMax: 2 * MIB,
  limits: SERVICE_LIMITS,
  inputsPerOpen: INPUTS_PER_HOUSE,
  words: [...PROCEDURES, ...Object.values(NAMES), SECRET, "queued", "me", "default", "owner"],
  seeds: PROCEDURES.flatMap((name) => INPUTS[name].map((input): Json => [name, (input ?? null) as Json])),
  open: () => openOverApi(feedProcedure),
};

type HttpOrder = { method: string; path: string; headers: Record<string, string>; body: string };

const json = { "content-type": "application/json", authorization: "Bearer $bearer" };
const page = { "content-type": "application/json", origin: "$origin" };

/** `{ method, path, headers, body }`: every route that is not a procedure, and the procedures' own framing. */
export const httpTarget: FuzzTarget = {
  name: "http",
  format: "json",
  bytesMax: 256 * 1024,
  limits: SERVICE_LIMITS,
  inputsPerOpen: INPUTS_PER_HOUSE,
  words: [
    "GET",
    "POST",
    "HEAD",
    "PATCH",
    "/api/trpc/",
    "/api/auth/",
    "$job",
    "$bearer",
    "$cookie",
    "%00",
    "%",
    "//",
    "?batch=1&input=",
    "text/plain",
    "undefined",
  ],
  seeds: [
    { method: "GET", path: "/api/v1/jobs/$job/log?offset=0&limit=10&lines=1", headers: json, body: "" },
    { method: "GET", path: "/api/v1/jobs/$job/log?tail=5&since=1000", headers: json, body: "" },
    { method: "GET", path: "/api/v1/jobs/$job/log?download=1", headers: json, body: "" },
    { method: "HEAD", path: "/api/v1/jobs/$job/log", headers: { cookie: "$cookie" }, body: "" },
    {
      method: "POST",
      path: "/api/v1/jobs/$job/log/search",
      headers: json,
      body: '{"pattern":"a(b)","contextLines":3,"linesMax":5,"tail":9,"since":4}',
    },
    { method: "GET", path: "/api/auth/state", headers: { cookie: "$cookie" }, body: "" },
    {
      method: "POST",
      path: "/api/auth/sign-in",
      headers: page,
      body: `{"email":"a@example.com","password":"${SECRET}"}`,
    },
    { method: "POST", path: "/api/auth/link", headers: page, body: `{"link":"${SECRET}"}` },
    {
      method: "POST",
      path: "/api/auth/password",
      headers: { ...page, cookie: "$cookie" },
      body: `{"newPassword":"${SECRET}","currentPassword":"${SECRET}"}`,
    },
    { method: "POST", path: "/api/auth/sign-out", headers: page, body: "{}" },
    { method: "POST", path: "/api/trpc/jobs.get", headers: json, body: '{"job":"$job","job":{}}' },
    {
      method: "GET",
      path: "/api/trpc/me.get,jobs.list?batch=1&input=%7B%220%22%3Anull%2C%221%22%3A%7B%7D%7D",
      headers: json,
      body: "",
    },
    {
      method: "POST",
      path: "/api/trpc/queues.put?batch=1",
      headers: { ...json, "x-nexus-team": "x" },
      body: '{"0":{"name":"q","__proto__":{"paused":true}}}',
    },
  ] satisfies HttpOrder[],
  open: () => openOverApi(feedHttp),
};

async function openOverApi(feed: (house: ApiHouse, order: Json) => Promise<void>): Promise<OpenTarget> {
  const house = await openApiHouse();
  return {
    async feed(input) {
      const text = Buffer.from(input).toString();
      let order: Json;
      try {
        order = JSON.parse(text);
      } catch {
        // The order to the test itself is not what is tested: a body that is no JSON is in `http`.
        return;
      }
      await feed(house, order);
    },
    close: () => house.close(),
  };
}

async function feedProcedure(house: ApiHouse, order: Json): Promise<void> {
  const [name, given = null] = Array.isArray(order) ? order : [];
  const procedure = PROCEDURES.find((one) => one === name);
  if (procedure === undefined) return;
  const { kind } = contract[procedure];
  if (kind === "subscription") return;
  const input = tame(procedure, named(given, house));
  const body = input === null ? "" : JSON.stringify(input);
  const answer = await send(house, {
    method: input === null && kind === "query" ? "GET" : "POST",
    path: `/api/trpc/${procedure}`,
    headers: { "content-type": "application/json", authorization: `Bearer ${house.owner.key}` },
    body,
  });
  if (answer === null) throw new BrokenPromise(`${procedure} was not answered`);
  await house.judge({ ...answer, isChange: kind === "mutation", input });
}

async function feedHttp(house: ApiHouse, given: Json): Promise<void> {
  if (typeof given !== "object" || given === null || Array.isArray(given)) return;
  const { method, path, headers, body } = given;
  // A minute for each, or all would be told to come again later.
  house.api.clock.aheadMs += 61_000;
  const order = {
    // What is no method is no HTTP: Node answers it before any code of ours.
    method: typeof method === "string" && METHODS.includes(method) ? method : "GET",
    path: named(typeof path === "string" ? path : "/", house) as string,
    headers: headersOf(named(headers ?? null, house)),
    body: named(typeof body === "string" ? body : JSON.stringify(body ?? ""), house) as string,
  };
  if (order.path.includes("follow")) return;
  const answer = await send(house, order);
  if (answer === null) return;
  const isOurs = /^\/api\/(trpc|auth|v1)\//.test(order.path) && order.method !== "HEAD";
  const input = { path: order.path, ...bodyOf(order.body) };
  if (isOurs && answer.status !== 404) await house.judge({ ...answer, isChange: true, input });
  else await house.judge({ status: 200, text: "", isChange: true, input });
}

function bodyOf(body: string): { [key: string]: Json } {
  try {
    const value = JSON.parse(body);
    return typeof value === "object" && value !== null ? value : { value };
  } catch {
    return { value: body };
  }
}

function headersOf(given: Json): Record<string, string> {
  if (typeof given !== "object" || given === null) return {};
  const pairs = Object.entries(given).filter(
    ([name, value]) => /^[a-z-]+$/i.test(name) && typeof value === "string",
  );
  return Object.fromEntries(
    pairs.map(([name, value]) => [name, String(value).replace(/[^\x20-\x7e]/g, "?")]),
  );
}

/** @returns null when Node's own client or server takes it for no HTTP at all. */
function send(
  house: ApiHouse,
  { method, path, headers, body }: HttpOrder,
): Promise<{ status: number; text: string } | null> {
  return new Promise((resolve) => {
    try {
      const {
        "content-length": _length,
        "transfer-encoding": _encoding,
        host: _host,
        expect: _expect,
        connection: _connection,
        upgrade: _upgrade,
        ...rest
      } = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
      // Without its length the body of a GET would be read as the next request.
      const length = { "content-length": Buffer.byteLength(body) };
      const asked = request(house.api.origin, {
        method,
        path,
        headers: body === "" ? rest : { ...rest, ...length },
        agent: false,
      });
      asked.on("response", (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        const done = () =>
          resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() });
        response.on("end", done);
        response.on("error", done);
      });
      asked.on("error", () => resolve(null));
      asked.end(body);
    } catch {
      resolve(null);
    }
  });
}

/** Nothing leaves this machine, and no flood of rows: that is another test's. */
function tame(procedure: ProcedureName, input: Json): Json {
  if (typeof input !== "object" || input === null || Array.isArray(input)) return input;
  if (procedure === "jobs.submit" && Array.isArray(input.jobs))
    input.jobs = input.jobs.slice(0, JOBS_SENT_MAX);
  if (procedure === "ssh.read" && typeof input.waitMs === "number") input.waitMs = Math.min(input.waitMs, 50);
  if (procedure !== "ssh.start" || !Array.isArray(input.hosts)) return input;
  const stay = (host: Json) => {
    if (typeof host !== "object" || host === null || Array.isArray(host)) return;
    if (typeof host.host === "string" && /^[\w.:%-]+$/.test(host.host)) host.host = "127.0.0.1";
    if (!("port" in host) || (typeof host.port === "number" && host.port > 0)) host.port = 1;
    if (Array.isArray(host.transports)) host.transports = [{ kind: "direct" }];
    if (Array.isArray(host.jumps)) for (const jump of host.jumps) stay(jump);
  };
  for (const host of input.hosts) stay(host);
  return input;
}
