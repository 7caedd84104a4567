import { randomBytes } from "node:crypto";
import { contract, type InputOf, type ProcedureName } from "@nexus/shared/api/contract";
import { newId } from "@nexus/shared/ids";
import { newTestKey } from "@nexus/ssh/testing/test-keys";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { insertAgentTarget } from "../db/queries/insert-agent-target.ts";
import { createApiKey } from "../services/access/api-keys.ts";
import { teamHostKeys } from "../services/ssh/team-host-keys.ts";
import { PROCEDURES, startTestApi, type TestApi } from "./testing/test-api.ts";
import { addTestPerson, addTestTeam, type TestPerson } from "./testing/test-people.ts";
import { openTestSocket } from "./testing/test-socket.ts";

/** What a team has, by id. */
type Belongings = {
  target: string;
  job: string;
  queue: string;
  enrollToken: string;
  user: string;
  apiKey: string;
  sshRun: string;
  sshHost: string;
};

/** A node that never came is called unreachable after a while: nobody's doing. */
const SILENCE = /(connecting|unreachable),"[^"]*"/;

/**
 * How each procedure names something that may be another team's; `null` where it names nothing and only its answer is searched.
 * A new procedure does not compile until it stands here.
 */
const NAMING: { [P in ProcedureName]: ((of: Belongings) => InputOf<P>) | null } = {
  "me.get": null,
  "server.health": null,
  "fleet.list": null,
  "fleet.watch": null,
  "targets.get": ({ target }) => ({ target }),
  "targets.rename": ({ target }) => ({ target, name: "taken" }),
  "targets.label": ({ target }) => ({ target, labels: { a: "b" } }),
  "targets.cordon": ({ target }) => ({ target, cordoned: true }),
  "targets.remove": ({ target }) => ({ target, force: true }),
  "targets.blockGpu": ({ target }) => ({ target, uuid: "GPU-0", blocked: true }),
  "targets.samples": ({ target }) => ({ target, sinceMs: 0 }),
  "enrollTokens.create": ({ target }) => ({ target }),
  "enrollTokens.list": null,
  "enrollTokens.revoke": ({ enrollToken }) => ({ id: enrollToken }),
  "ssh.start": ({ target }) => ({ act: "uninstall", targets: [target] }),
  "ssh.read": ({ sshRun }) => ({ id: sshRun }),
  "ssh.watch": ({ sshRun }) => ({ id: sshRun }),
  "ssh.answer": ({ sshRun }) => ({ id: sshRun, host: 0, fingerprint: "SHA256:x", accept: true }),
  "ssh.cancel": ({ sshRun }) => ({ id: sshRun }),
  "ssh.readHosts": null,
  "ssh.hostKeys": null,
  "ssh.ways": null,
  "ssh.replaceHostKey": ({ sshHost }) => ({
    name: sshHost,
    old: "SHA256:x",
    new: "SHA256:y",
    reason: "mine",
  }),
  "jobs.submit": ({ target }) => ({ jobs: [{ command: ["true"], target }] }),
  "jobs.preview": ({ target }) => ({ command: ["true"], target }),
  "jobs.get": ({ job }) => ({ job }),
  "jobs.list": null,
  "jobs.watch": null,
  "jobs.follow": ({ job }) => ({ job }),
  "jobs.events": ({ job }) => ({ job }),
  "jobs.samples": ({ job }) => ({ job }),
  "jobs.cancel": ({ job }) => ({ jobs: [job] }),
  "jobs.move": ({ job }) => ({ jobs: [job], top: true }),
  "jobs.requeue": ({ job }) => ({ jobs: [job] }),
  "queues.list": null,
  "queues.put": ({ target }) => ({ name: "mine", selector: { targets: [target] } }),
  "queues.remove": ({ queue }) => ({ name: queue }),
  "members.list": null,
  "members.add": null,
  "members.setRole": ({ user }) => ({ userId: user, role: "viewer" }),
  "members.remove": ({ user }) => ({ userId: user }),
  "apiKeys.list": null,
  "apiKeys.create": null,
  "apiKeys.revoke": ({ apiKey }) => ({ id: apiKey }),
  "audit.list": null,
};

/** For those that name nothing: an input with which they answer all they have. */
const ASKING: Partial<{ [P in ProcedureName]: InputOf<P> }> = {
  "jobs.list": { limit: 1000 },
  "members.add": { email: "new@example.com", name: "New", role: "viewer" },
  "apiKeys.create": { name: "mine" },
  "audit.list": { limit: 500 },
  "ssh.readHosts": { text: "host" },
};

describe("another team's things", () => {
  let api: TestApi;
  let theirs: Belongings;
  let stranger: TestPerson;
  let before: string;

  beforeAll(async () => {
    api = await startTestApi();
    const teamId = await addTestTeam(api.ctx, "theirs");
    const owner = await addTestPerson(api.ctx, teamId, "owner");
    const second = await addTestPerson(api.ctx, teamId, "owner");
    const target = newId("target", randomBytes);
    const facts = {
      hostname: "their-host",
      os: "linux",
      kernel: "6",
      arch: "x64",
      cpuModel: "cpu",
      cpuCount: 1,
      memoryTotalMib: 1,
      user: "nobody",
      bootId: "b",
      agentVersion: "0",
      nodeVersion: "24",
      gpuDriver: "none" as const,
      gpuDriverVersion: null,
      gpuProblem: null,
    };
    const row = await insertAgentTarget(api.ctx.db, {
      publicId: target,
      teamId,
      name: "their-target",
      labels: {},
      facts,
    });
    await api.services.refreshTarget(row ?? 0);
    const { jobs } = await api.call(
      "jobs.submit",
      { jobs: [{ command: ["their-command"], target, env: { A: "their-value" } }] },
      owner.key,
    );
    await api.call("queues.put", { name: "night-line" }, owner.key);
    const { enrollToken } = await api.call("enrollTokens.create", { name: "their-token" }, owner.key);
    // Nothing listens there: the work ends by itself, and stays to be looked at.
    const work = await api.call(
      "ssh.start",
      { hosts: [{ host: "127.0.0.1", port: 1, user: "their-user" }], canAsk: false },
      owner.key,
    );
    await api.call("ssh.read", { id: work.id, after: 10, waitMs: 20_000 }, owner.key);
    const { apiKey } = await createApiKey(api.ctx, second.principal, { name: "their-key" });
    theirs = {
      target,
      job: jobs[0]?.id ?? "",
      queue: "night-line",
      enrollToken: enrollToken.id,
      user: second.principal.userId,
      apiKey: apiKey.id,
      sshRun: work.id,
      sshHost: "gpu.first.example",
    };
    await teamHostKeys(api.ctx, owner.principal).write({
      ...{ name: theirs.sshHost, kind: "confirm", by: "owner", reason: "compared" },
      ...{ before: { pinned: [], revoked: [] }, after: { pinned: [newTestKey().publicKey], revoked: [] } },
    });
    before = await snapshot();
    stranger = await addTestPerson(api.ctx, await addTestTeam(api.ctx, "ours"), "owner");
  });
  afterAll(() => api?.close());

  /** All rows that name something of theirs. */
  async function snapshot(): Promise<string> {
    const lines = (await api.dump()).split("\n");
    return lines
      .filter((line) => line.includes("their") || Object.values(theirs).some((id) => line.includes(id)))
      .map((line) => line.replace(SILENCE, ""))
      .join("\n");
  }

  /** The first message of a stream over a socket; the whole answer of a call. */
  async function answer<P extends ProcedureName>(
    name: P,
    input: InputOf<P>,
  ): Promise<{ status: string; text: string }> {
    const headers = { authorization: `Bearer ${stranger.key}` };
    if (contract[name].kind !== "subscription") {
      const response = await api.rawCall(name, input, headers);
      const body = await response.json();
      return { status: body.error?.data.nexusCode ?? "ok", text: JSON.stringify(body) };
    }
    const socket = await openTestSocket(`${api.origin.replace("http", "ws")}/ws/ui`, headers);
    const id = socket.send("subscription", name, input);
    const message = await socket.next(
      ({ id: of, result, error }) => of === id && (error !== undefined || result?.type === "data"),
    );
    socket.socket.terminate();
    return { status: message.error?.data.nexusCode ?? "ok", text: JSON.stringify(message) };
  }

  const nobodys: Belongings = {
    target: "t_1111111111",
    job: "j_0000000000",
    queue: "nobodys-queue",
    enrollToken: "et_0000000000",
    user: "u_2222222222",
    apiKey: "k_3333333333",
    sshRun: "sr_4444444444",
    sshHost: "gpu.other.example",
  };
  /** What differs between two answers by the ids alone does not tell anything. */
  const withoutIds = (text: string) =>
    [...Object.values(theirs), ...Object.values(nobodys)].reduce(
      (rest, id) => rest.replaceAll(id, "ID"),
      text,
    );

  it.each(PROCEDURES)("[A4] %s does not find, show or touch them", async (name) => {
    const naming = NAMING[name] as ((of: Belongings) => InputOf<typeof name>) | null;
    if (naming === null) {
      const { text } = await answer(name, ASKING[name] as InputOf<typeof name>);
      expect(text).not.toMatch(/their/);
      for (const id of Object.values(theirs)) expect(text).not.toContain(id);
    } else {
      const [seen, unknown] = [await answer(name, naming(theirs)), await answer(name, naming(nobodys))];
      expect(withoutIds(seen.text).replace(/"id":\d+/, "")).toBe(
        withoutIds(unknown.text).replace(/"id":\d+/, ""),
      );
      // Cancelling, moving and queueing again answer for each job; previewing answers with a sentence.
      const answersEach = ["jobs.cancel", "jobs.move", "jobs.requeue", "jobs.preview"].includes(name);
      if (!answersEach) expect(seen.status).toBe("not_found");
      expect(seen.text).not.toMatch(/their/);
    }
    expect(await snapshot()).toBe(before);
  });

  it("[A4] nor does the raw log", async () => {
    for (const query of ["", "?follow=1", "?download=1", "?tail=10"]) {
      const response = await fetch(`${api.origin}/api/v1/jobs/${theirs.job}/log${query}`, {
        headers: { authorization: `Bearer ${stranger.key}` },
      });
      expect(response.status).toBe(404);
    }
  });

  it("[A4] a beginning of their job's id finds nothing", async () => {
    const { status } = await answer("jobs.get", { job: theirs.job.slice(0, 5) });
    expect(status).toBe("not_found");
  });
});
