import { afterAll, beforeAll, expect, test } from "vitest";
import {
  exitOf,
  inventoryOf,
  simulatedGpus,
  startTestServices,
  type TestNode,
  type TestServices,
} from "../testing/test-services.ts";

const HERE = { bootId: "boot-1", place: { machine: "m1", home: "h1" } };
const COPY = { bootId: "boot-2", place: { machine: "m2", home: "h1" } };

let t: TestServices;
let made = 0;
beforeAll(async () => {
  t = await startTestServices();
});
afterAll(() => t.close());

const stateOf = async (id: string) => (await t.services.getJob(t.alice, id)).state;
const startsOf = (node: TestNode, id: string) => node.starts().filter(({ job }) => job === id).length;

/** A start that left, and a node that was cut off before it answered. */
async function sentAndSilent(gpus = 0) {
  const name = `n${++made}`;
  const node = await t.addTarget(name, { gpus: simulatedGpus(gpus, name) });
  await node.connect([], [], HERE);
  const id = await t.submit({ command: ["train"], gpus, target: name });
  const start = await node.startOf(id);
  await node.disconnect();
  return { node, id, start };
}

/** The database takes no end of an attempt until `takeEnds`. */
async function refuseEnds(): Promise<void> {
  await t.db.sql.unsafe(`
    create function refuse() returns trigger language plpgsql as $$ begin raise exception 'refused'; end $$;
    create trigger refuse before update of ended_at on attempt for each row execute function refuse()`);
}
async function takeEnds(): Promise<void> {
  await t.db.sql`drop function refuse cascade`;
}

test("[P58] a start that was sent and not answered is not given to a copy of the node", async () => {
  const { node, id, start } = await sentAndSilent();
  await node.connect([], [], COPY);
  expect(await stateOf(id)).toBe("unreachable");
  expect(startsOf(node, id)).toBe(1);
  expect(t.services.fleet.get(t.alice.teamId, node.session.targetName).notice).toMatchObject({
    code: "another_machine",
    message: expect.stringContaining("nexus requeue"),
  });
  const events = await t.services.listJobEvents(t.alice, id);
  expect(events.at(-1)).toMatchObject({
    type: "silence",
    actor: "control plane",
    message: expect.stringContaining("perhaps a copy of its disk"),
  });

  // Nor later, by the same machine, or by the next control plane.
  await node.disconnect();
  await node.connect([], [], COPY);
  await t.restart();
  await node.connect([inventoryOf(start, { state: "recorded", pid: null })], [], COPY);
  expect(node.sent.findLast(({ type }) => type === "sync")).toMatchObject({
    attempts: [{ attempt: start.attempt, want: "unclaimed" }],
  });
  expect([await stateOf(id), startsOf(node, id)]).toEqual(["unreachable", 1]);

  // What runs is not doubted.
  await node.disconnect();
  await node.connect([inventoryOf(start)], [], HERE);
  expect(await stateOf(id)).toBe("running");
  await node.exited(start);
  expect(await stateOf(id)).toBe("succeeded");
});

test("[P58] a reboot, a restart and a new network card are the same machine, which is given it again", async () => {
  for (const facts of [
    HERE,
    { ...HERE, bootId: "boot-2" },
    { ...HERE, place: { machine: "m3", home: "h1" } },
  ]) {
    const { node, id, start } = await sentAndSilent();
    await node.connect([], [], facts);
    expect(startsOf(node, id)).toBe(2);
    await node.exited(start);
    expect(await stateOf(id)).toBe("succeeded");
  }
});

test("[P58] a person starts it anew; its GPUs are free, since the machine that had them cannot be back", async () => {
  const { node, id, start } = await sentAndSilent(1);
  await node.connect([], [], COPY);
  const { results } = await t.services.requeueJobs(t.alice, { jobs: [id] });
  expect(results).toMatchObject([{ ok: true, queued: id }]);
  const again = await t.until(() =>
    node.starts().find(({ job, fence }) => job === id && fence > start.fence),
  );
  expect(again.gpus).toEqual(start.gpus);
  await node.exited(again);
  expect(await stateOf(id)).toBe("succeeded");
});

test("[P58] its GPUs come free also when that was not written down together with giving it up", async () => {
  const { node, id, start } = await sentAndSilent(1);
  await node.connect([], [], COPY);
  await refuseEnds();
  await t.services.requeueJobs(t.alice, { jobs: [id] }).catch(() => undefined);
  await takeEnds();
  const again = await t.until(() =>
    node.starts().find(({ job, fence }) => job === id && fence > start.fence),
  );
  expect(again.gpus).toEqual(start.gpus);
  await node.exited(again);
  expect(await stateOf(id)).toBe("succeeded");
});

test("[P58] what the copy's disk holds without an exit is lost, not failed; an exit that it holds is true", async () => {
  const name = `n${++made}`;
  const node = await t.addTarget(name);
  await node.connect([], [], HERE);
  const [runs, ended] = [
    await t.submit({ command: ["a"], gpus: 0, target: name }),
    await t.submit({ command: ["b"], gpus: 0, target: name }),
  ];
  const [one, two] = [await node.startOf(runs), await node.startOf(ended)];
  await node.started(one);
  await node.started(two);
  await node.disconnect();
  const vanished = exitOf(one, { reason: "vanished", exitCode: null });
  await node.connect(
    [
      inventoryOf(one, { state: "exited", pid: null, exit: vanished }),
      inventoryOf(two, { state: "exited", pid: null, exit: exitOf(two, { exitCode: 3 }) }),
    ],
    [],
    COPY,
  );
  expect([await stateOf(runs), await stateOf(ended)]).toEqual(["lost", "failed"]);
});

test("[P58] what the copy's disk holds without an exit is lost also when that was not written down the first time", async () => {
  const name = `n${++made}`;
  const node = await t.addTarget(name);
  await node.connect([], [], HERE);
  const id = await t.submit({ command: ["a"], gpus: 0, target: name });
  const start = await node.startOf(id);
  await node.started(start);
  await node.disconnect();
  const exit = exitOf(start, { reason: "vanished", exitCode: null });
  const held = [inventoryOf(start, { state: "exited", pid: null, exit })];
  await refuseEnds();
  await expect(node.connect(held, [], COPY)).rejects.toThrow("refused");
  await takeEnds();
  await node.disconnect();
  await t.restart();
  await node.connect(held, [], COPY);
  expect(await stateOf(id)).toBe("lost");
});

test("[P58] what ran on a machine that tells of no place, and is gone with its boot, failed: its log is still fetched", async () => {
  const name = `n${++made}`;
  const node = await t.addTarget(name);
  await node.connect();
  const id = await t.submit({ command: ["a"], gpus: 0, target: name });
  const start = await node.startOf(id);
  await node.started(start);
  await node.log(start, 0, "beg");
  await node.disconnect();
  const exit = exitOf(start, { reason: "vanished", exitCode: null, logBytes: 6 });
  await node.connect([inventoryOf(start, { state: "exited", pid: null, exit })], [], { bootId: "boot-2" });
  expect(await stateOf(id)).toBe("failed");
  await node.log(start, 3, "un\n");
  const { bytes, ended } = await t.services.readLog(t.alice, id, { offset: 0, limit: 99 });
  expect([new TextDecoder().decode(bytes), ended]).toEqual(["begun\n", true]);
});

test("[P58] a machine that is reached over SSH is known by its host key: a reboot is none of another machine", async () => {
  const { node, id } = await sentAndSilent();
  await t.db.sql`update target set kind = 'ssh' where id = ${node.session.targetId}`;
  await t.services.refreshTarget(node.session.targetId);
  await node.connect([], [], { bootId: "boot-2", place: undefined });
  expect(startsOf(node, id)).toBe(2);
});

test("[P58] one that is to be cancelled is lost there: nobody can say that it never began", async () => {
  const { node, id, start } = await sentAndSilent();
  await node.connect([], [], COPY);
  await t.services.cancelJobs(t.alice, { jobs: [id] });
  await node.exited(start, { reason: "cancelled", exitCode: null, ranMs: null });
  expect(await stateOf(id)).toBe("lost");
});

test.each(["vanished", "timed_out"] as const)(
  "[P58] a copy whose disk holds a start as %s, without an exit, knows nothing of it: its job waits, and to be cancelled is lost",
  async (reason) => {
    for (const isCancelled of [false, true]) {
      const { node, id, start } = await sentAndSilent();
      await node.connect([], [], COPY);
      await node.disconnect();
      const exit = exitOf(start, { reason, exitCode: null, logBytes: 901 });
      const held = [inventoryOf(start, { state: "exited", pid: null, exit })];
      await node.connect(held, [], COPY);
      expect(await stateOf(id)).toBe("unreachable");
      if (isCancelled) await t.services.cancelJobs(t.alice, { jobs: [id] });
      else await t.services.requeueJobs(t.alice, { jobs: [id] });
      // It is told again until somebody says `forget`; of its log no more is to come.
      expect(await node.exited(start, exit)).toEqual([{ type: "forget", attempts: [start.attempt] }]);
      if (isCancelled) expect(await stateOf(id)).toBe("lost");
      else await node.exited(await node.startOf(id), { exitCode: 0 });
      const { ended } = await t.services.readLog(t.alice, id, { offset: 0, limit: 9 });
      expect(ended).toBe(true);
    }
  },
);
