import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startTestApi, type TestApi } from "./testing/test-api.ts";
import { addTestPerson, addTestTeam, type TestPerson } from "./testing/test-people.ts";

describe("work over SSH at once", () => {
  /** Accepts and says nothing, as a machine that hangs does. */
  const sockets = new Set<Socket>();
  const silent = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
  });
  let api: TestApi;
  let ada: TestPerson;
  let bob: TestPerson;
  beforeAll(async () => {
    silent.listen(0, "127.0.0.1");
    await once(silent, "listening");
    api = await startTestApi();
    ada = await addTestPerson(api.ctx, await addTestTeam(api.ctx, "one"), "owner");
    bob = await addTestPerson(api.ctx, await addTestTeam(api.ctx, "two"), "owner");
  });
  afterAll(async () => {
    await api?.close();
    for (const socket of sockets) socket.destroy();
    silent.close();
  });

  const start = ({ key }: TestPerson) => {
    const { port } = silent.address() as AddressInfo;
    const credentials = { password: "of the machine" };
    return api.call(
      "ssh.start",
      { act: "enrol", hosts: [{ host: "127.0.0.1", port, user: "ada", credentials }] },
      key,
    );
  };
  const read = (id: string, { key }: TestPerson) =>
    api.call("ssh.read", { id, after: 0, waitMs: 1_000 }, key);

  it("[B12] a team has twenty under way; one more is refused until one ended, and of those that ended the oldest goes", async () => {
    const runs: string[] = [];
    for (let left = 20; left > 0; left -= 1) runs.push((await start(ada)).id);
    await expect(start(ada)).rejects.toThrow("20 pieces of work over SSH are under way");
    expect(await start(bob)).toMatchObject({ id: expect.any(String) });
    const [first = ""] = runs;
    await api.call("ssh.cancel", { id: first }, ada.key);
    await expect.poll(async () => (await read(first, ada)).ended, { timeout: 10_000 }).toBe(true);
    const { id } = await start(ada);
    expect(await read(id, ada)).toMatchObject({ ended: false });
    await expect(read(first, ada)).rejects.toThrow(`There is no work ${first} (any more)`);
  });
});
