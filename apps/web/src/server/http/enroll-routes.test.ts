import { once } from "node:events";
import { createServer, type IncomingMessage, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { NexusError } from "@nexus/shared/errors";
import { ENROLL_BODY_BYTES_MAX } from "@nexus/shared/protocol/enroll-messages";
import { afterEach, describe, expect, it } from "vitest";
import { createEnrollRoutes, type EnrollRoutesOptions } from "./enroll-routes.ts";

let server: Server;
const failures: unknown[] = [];

async function serve(options: Partial<EnrollRoutesOptions> = {}): Promise<string> {
  const routes = createEnrollRoutes({
    enrollment: {
      challenge: () => {
        throw new NexusError("token_unknown", { detail: "nobody knows it" });
      },
      enroll: async () => {
        throw new Error("the database is away");
      },
      leave: async () => undefined,
    },
    nowMs: () => 0,
    onInternalError: (error) => failures.push(error),
    ...options,
  });
  server = createServer((request, response) => {
    void routes(request, response).then((isOurs) => isOurs || response.writeHead(404).end());
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const challenge = "/api/enroll/challenge?token=et_0123456789&nonce=0123456789abcdef";

describe("enrolment over HTTP", () => {
  it("[E15] a refusal has a code, a sentence and a fitting status; other paths are left to others", async () => {
    const url = await serve();
    const response = await fetch(url + challenge);
    expect(response.status).toBe(401);
    expect(await response.json()).toEqual({
      error: { code: "token_unknown", message: "nobody knows it", retryAfterMs: null },
    });
    expect((await fetch(`${url}/api/enroll/else`)).status).toBe(404);
    expect((await fetch(`${url}/api/enroll/challenge?token='&nonce=x`)).status).toBe(400);
  });

  it("[E15] a path that no URL can have is left to others", async () => {
    const asked = request(await serve(), { path: "//" });
    asked.end();
    const [response] = (await once(asked, "response")) as [IncomingMessage];
    response.resume();
    expect(response.statusCode).toBe(404);
  });

  it("[E15] a body that is too large or no JSON is refused, and a failure of ours tells nothing of the inside", async () => {
    const url = await serve();
    const post = (body: string) => fetch(`${url}/api/enroll`, { method: "POST", body });
    expect((await post("x".repeat(ENROLL_BODY_BYTES_MAX + 1))).status).toBe(413);
    expect((await post("{")).status).toBe(400);
    expect((await post("{}")).status).toBe(400);
    const nonce = "0123456789abcdef";
    const request = {
      tokenId: "et_0123456789",
      serverNonce: nonce,
      agentNonce: nonce,
      origin: "https://x",
      publicKey: "x".repeat(43),
      facts: "{}",
      tokenSignature: "x".repeat(86),
      nodeSignature: "x".repeat(86),
    };
    const response = await post(JSON.stringify(request));
    expect(response.status).toBe(503);
    expect(await response.text()).not.toContain("database");
    expect(String(failures[0])).toContain("the database is away");
  });

  it("[E16] an address that asks too often is told when to come back", async () => {
    const url = await serve({ triesPerMinute: 3 });
    for (let i = 0; i < 3; i += 1) expect((await fetch(url + challenge)).status).toBe(401);
    const response = await fetch(url + challenge);
    expect(response.status).toBe(429);
    expect(response.headers.get("retry-after")).toBe("60");
    expect(await response.json()).toMatchObject({ error: { code: "rate_limited", retryAfterMs: 60_000 } });
  });
});
