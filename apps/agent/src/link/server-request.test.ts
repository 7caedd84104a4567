import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { pipeline, Readable } from "node:stream";
import { afterEach, describe, expect, it } from "vitest";
import * as z from "zod/mini";
import { requestServer } from "./server-request.ts";

let server: Server;
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

async function ask(answer: () => Iterable<string>): Promise<unknown> {
  server = createServer((_request, response) => {
    pipeline(Readable.from(answer()), response, () => undefined);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return await requestServer({
    ...{ address: { origin, spkiPin: null }, method: "GET", path: "/api/enroll/challenge" },
    schema: z.object({ text: z.string() }),
  });
}

describe("a request to the control plane", () => {
  it("[B15] an answer of more than 1 MiB is not read to its end, and the request fails with a sentence", async () => {
    const text = "x".repeat(1_000_000);
    expect(await ask(() => [`{"text":"${text}"}`])).toEqual({ text });
    server.close();
    let parts = 0;
    const endless = ask(function* () {
      yield '{"text":"';
      for (; parts < 10_000; parts += 1) yield "x".repeat(64 * 1024);
    });
    await expect(endless).rejects.toThrow(/status 200 and nothing that a Nexus control plane says/);
    expect(parts).toBeLessThan(1_000);
  });
});
