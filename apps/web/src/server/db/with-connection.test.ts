import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findServerPrograms, startTcpPostgres } from "./testing/test-tcp-postgres.ts";
import { withConnection } from "./with-connection.ts";

let postgres: { url: string; stop(): Promise<void> };
beforeAll(async () => {
  const [program] = await findServerPrograms();
  postgres = await startTcpPostgres(program?.binDir ?? "");
});
afterAll(() => postgres.stop());

const ask = (url: string) => withConnection({ url }, (sql) => sql`select 1 as one`);

test("[O46] a database that is not there is told with its place and without its password", async () => {
  const closed = createServer().listen(0, "127.0.0.1");
  await once(closed, "listening");
  const { port } = closed.address() as AddressInfo;
  closed.close();
  await once(closed, "close");
  const refusal = await ask(`postgres://me:hunter2@127.0.0.1:${port}/nexus`).catch((cause: Error) => cause);
  expect(refusal).toMatchObject({
    code: "unavailable",
    message: `No Postgres answers at 127.0.0.1:${port}/nexus (ECONNREFUSED). Start it, or correct DATABASE_URL.`,
  });
});

test("[O46] what listens there and says nothing is given up", async () => {
  const callers: Socket[] = [];
  const silent = createServer((socket) => void callers.push(socket)).listen(0, "127.0.0.1");
  await once(silent, "listening");
  const { port } = silent.address() as AddressInfo;
  const url = `postgres://me:hunter2@127.0.0.1:${port}/nexus`;
  await expect(withConnection({ url }, async () => null, 20)).rejects.toMatchObject({
    code: "unavailable",
    message: `What listens at 127.0.0.1:${port}/nexus does not answer as a Postgres. Look at it, or correct DATABASE_URL.`,
  });
  for (const caller of callers) caller.destroy();
  silent.close();
  await once(silent, "close");
});

test("[O46] a database and a user that do not exist are told as Postgres says it", async () => {
  expect(await ask(postgres.url)).toEqual([{ one: 1 }]);
  await expect(ask(postgres.url.replace(/postgres$/, "other"))).rejects.toMatchObject({
    code: "bad_request",
    message: expect.stringContaining('database "other" does not exist. Correct DATABASE_URL.'),
  });
  await expect(ask(postgres.url.replace("//nexus@", "//nobody:hunter2@"))).rejects.toMatchObject({
    code: "bad_request",
    message: expect.not.stringContaining("hunter2"),
  });
});

test("[O46] what fails in the work itself is not called a problem of the connection", async () => {
  await expect(withConnection({ url: postgres.url }, (sql) => sql`select nothing`)).rejects.toMatchObject({
    code: "42703",
  });
});
