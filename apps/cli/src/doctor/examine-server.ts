/** Asks a control plane, from the plainest question on; what cannot be asked after a failure is left out. */
import { randomBytes } from "node:crypto";
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import type { TLSSocket } from "node:tls";
import { trustCertificate } from "@nexus/shared/crypto/trust-certificate";
import { NexusError } from "@nexus/shared/errors";
import { type Api, createApi, whyUnreachable } from "../api/api.ts";
import type { KnownServer } from "../config/cli-config.ts";
import { broken, doubtful, type Finding, fine } from "./finding.ts";
import {
  judgeCertificate,
  judgeClock,
  judgeFleet,
  judgeHealth,
  judgeProblems,
  judgeReach,
  judgeReadiness,
  judgeVersion,
  judgeWebSocket,
  type Probe,
} from "./judge-server.ts";

const PROBE_MS = 10_000;
const BODY_CHARS_MAX = 64 * 1024;
const SIGN_IN = "Make a key in the dashboard under Settings, then: nexus login";

export async function examineServer(
  { url, apiKey, certificate }: KnownServer,
  own: { version: string; nowMs(): number },
): Promise<Finding[]> {
  if (certificate !== undefined) trustCertificate(certificate);
  const place = (what: string) => ({ where: "server", what }) as const;
  const askedAtMs = own.nowMs();
  const ready = await probe(url, "/readyz").catch((cause: unknown) => cause);
  if (ready instanceof Error || !isProbe(ready)) {
    const { detail, next } = whyUnreachable(url, ready);
    return [broken(place("Address"), detail, next)];
  }
  const hereAtMs = own.nowMs();
  const version = await probe(url, "/api/v1/version").catch(() => null);
  // One that is not active turns them away like everything else.
  const isActive = ready.status === 200;
  const socket = isActive ? await probe(url, "/ws/tunnel", webSocketHeaders()).catch(() => null) : null;
  const found = [
    judgeReach(url, ready),
    ...judgeCertificate(ready, { isOwn: certificate !== undefined, nowMs: own.nowMs() }),
    judgeReadiness(ready),
    ...(isActive ? [judgeWebSocket(socket)] : []),
    ...(version === null ? [] : [judgeVersion(version, own.version)]),
  ];
  const coarse = (): Finding[] =>
    ready.dateMs === null
      ? []
      : [judgeClock({ askedAtMs, hereAtMs, serverMs: ready.dateMs, isCoarse: true })];
  if (apiKey === null) {
    return [...found, ...coarse(), doubtful(place("Signed in"), "You are not signed in there.", SIGN_IN)];
  }
  if (!isActive) return [...found, ...coarse()];
  return [...found, ...(await examineAsMember(createApi({ url, apiKey, certificate }), { ...own, coarse }))];
}

async function examineAsMember(api: Api, own: { nowMs(): number; coarse(): Finding[] }): Promise<Finding[]> {
  const me = await asked("Signed in", api.call("me.get", undefined));
  if ("state" in me) return [...own.coarse(), me];
  const { user, role, team, server } = me;
  const found = [fine({ where: "server", what: "Signed in" }, `As ${user.name}, ${role} of ${team.name}`)];
  const askedAtMs = own.nowMs();
  const health = await asked("Health", api.call("server.health", undefined).catch(onlyUnknown));
  const hereAtMs = own.nowMs();
  if (health === null || "state" in health) {
    found.push(...own.coarse(), ...(health === null ? [] : [health]));
  } else {
    const moments = { askedAtMs, hereAtMs, serverMs: health.nowMs, isCoarse: false };
    found.push(judgeClock(moments), ...judgeHealth(health));
  }
  const fleet = await asked("Fleet", api.call("fleet.list", undefined));
  if ("state" in fleet) return [...found, fleet];
  return [...found, ...judgeProblems(fleet.problems), ...judgeFleet(fleet.targets, server.version)];
}

/** A refusal is a finding of its own; what else could be asked still is. */
async function asked<T>(what: string, work: Promise<T>): Promise<T | Finding> {
  try {
    return await work;
  } catch (cause) {
    if (!(cause instanceof NexusError)) throw cause;
    const isKey = cause.code === "unauthenticated" || cause.code === "forbidden";
    const next = isKey ? SIGN_IN : "Look at the log of the control plane";
    return broken({ where: "server", what }, cause.message, next);
  }
}

/** An older control plane does not know the question. */
function onlyUnknown(cause: unknown): null {
  if (cause instanceof NexusError && cause.code === "not_found") return null;
  throw cause;
}

function isProbe(value: unknown): value is Probe {
  return typeof value === "object" && value !== null && "tookMs" in value;
}

function webSocketHeaders(): Record<string, string> {
  const key = randomBytes(16).toString("base64");
  const version = { "sec-websocket-version": "13", "sec-websocket-key": key };
  return { connection: "Upgrade", upgrade: "websocket", ...version };
}

function probe(url: string, path: string, headers: Record<string, string> = {}): Promise<Probe> {
  return new Promise((resolve, reject) => {
    const beganAtMs = performance.now();
    const request = (url.startsWith("https:") ? requestHttps : requestHttp)(url + path, {
      headers,
      timeout: PROBE_MS,
    });
    request.on("timeout", () => request.destroy(Object.assign(new Error("late"), { name: "TimeoutError" })));
    request.on("error", reject);
    request.on("upgrade", (_response, socket) => {
      socket.destroy();
      reject(new Error("somebody else took it"));
    });
    request.on("response", (response) => {
      const tookMs = performance.now() - beganAtMs;
      const until = certificateUntil(response.socket);
      const dateMs = Date.parse(response.headers.date ?? "");
      let body = "";
      response.setEncoding("utf8").on("data", (text: string) => {
        body = (body + text).slice(0, BODY_CHARS_MAX);
      });
      response.on("error", reject).on("end", () => {
        resolve({
          ...{ status: response.statusCode ?? 0, body, tookMs },
          dateMs: Number.isNaN(dateMs) ? null : dateMs,
          certificateUntilMs: until,
        });
      });
    });
    request.end();
  });
}

function certificateUntil(socket: object): number | null {
  if (!("getPeerCertificate" in socket)) return null;
  const until = Date.parse((socket as TLSSocket).getPeerCertificate().valid_to);
  return Number.isNaN(until) ? null : until;
}
