import { randomBytes } from "node:crypto";
import { PassThrough } from "node:stream";
import type { Target } from "@nexus/shared/api/schemas";
import { NexusError } from "@nexus/shared/errors";
import { newId } from "@nexus/shared/ids";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { insertTeam } from "../../db/queries/insert-team.ts";
import { auditEvent } from "../../db/schema/audit.ts";
import { createTestDatabase, type TestDatabase } from "../../db/testing/test-database.ts";
import type { Principal } from "../ports.ts";
import { createTunnelService, type TunnelContext } from "./tunnel-service.ts";

const TO = { host: "localhost", port: 8000 };
const tooOld = new NexusError("needs_update", { detail: "The agent of gpu1 is too old to carry tunnels." });

describe("who carries a tunnel", () => {
  let database: TestDatabase;
  let principal: Principal;
  /** What the carriers were asked, in order. */
  let asked: string[];
  let clock: { at: number };
  beforeAll(async () => {
    database = await createTestDatabase();
    const teamId = newId("team", randomBytes);
    await insertTeam(database.db, { id: teamId, name: "Lab" });
    principal = { userId: "u_1", userName: "Ada", teamId, role: "member" };
  });
  afterAll(() => database.close());
  beforeEach(async () => {
    asked = [];
    clock = { at: 0 };
    await database.db.delete(auditEvent);
  });

  function service(given: {
    agent: NexusError | null;
    ssh: NexusError | "key" | "none";
    kind?: Target["kind"];
    tunnels?: "open" | "limited" | "forbidden";
  }) {
    const facts = given.tunnels === undefined ? null : { tunnels: given.tunnels };
    const target = { id: "t_1", name: "gpu1", kind: given.kind ?? "agent", facts } as Target;
    const ctx: TunnelContext = {
      db: database.db,
      clock: { nowMs: () => clock.at },
      findTarget: (_team, name) => (name === "gpu1" ? target : null),
      async byAgent() {
        asked.push("agent");
        if (given.agent !== null) throw given.agent;
        return new PassThrough();
      },
      async bySsh() {
        asked.push("ssh");
        if (given.ssh instanceof NexusError) throw given.ssh;
        return given.ssh === "key" ? new PassThrough() : null;
      },
    };
    return createTunnelService(ctx);
  }
  const open = (of: ReturnType<typeof service>, via: "agent" | "ssh" | null = null, to = TO) =>
    of.open(principal, { target: "gpu1", to, via });
  const audits = async () => (await database.db.select().from(auditEvent)).map(({ detail }) => detail);

  it("[E53] the agent carries it, and SSH is not asked", async () => {
    expect((await open(service({ agent: null, ssh: "key" }))).note).toBeNull();
    expect(asked).toEqual(["agent"]);
  });

  it("[E53] an agent that is too old: SSH with the kept key, said with why; without a key the agent's own words", async () => {
    const way = await open(service({ agent: tooOld, ssh: "key" }));
    expect(way.note).toBe("Over SSH: The agent of gpu1 is too old to carry tunnels.");
    await expect(open(service({ agent: tooOld, ssh: "none" }))).rejects.toThrow(tooOld.message);
    await expect(open(service({ agent: tooOld, ssh: "key" }), "agent")).rejects.toThrow(tooOld.message);
    const both = service({ agent: tooOld, ssh: new NexusError("target_offline", { detail: "No route." }) });
    await expect(open(both)).rejects.toThrow(`${tooOld.message} And over SSH: No route.`);
  });

  it("[E53] what the node itself refuses is not tried by SSH, nor what its policy limits or only an agent may do", async () => {
    const no = new NexusError("forbidden", { detail: "gpu1 does not allow this." });
    await expect(open(service({ agent: no, ssh: "key" }))).rejects.toThrow(no.message);
    for (const tunnels of ["limited", "forbidden"] as const) {
      await expect(open(service({ agent: tooOld, ssh: "key", tunnels }))).rejects.toMatchObject({
        code: "forbidden",
        message: expect.stringMatching(/too old.* over SSH nothing is opened, since the policy file of gpu1/),
      });
      await expect(open(service({ agent: null, ssh: "key", tunnels }), "ssh")).rejects.toThrow(
        /^Over SSH nothing/,
      );
    }
    const beyond = { host: "gpu2", port: 22 };
    await expect(open(service({ agent: null, ssh: "key" }), "ssh", beyond)).rejects.toThrow(
      "no other machine",
    );
    expect(asked).not.toContain("ssh");
  });

  it("[E53] a target without an agent has SSH alone, and what does not exist is not found", async () => {
    const bare = service({ agent: null, ssh: "key", kind: "ssh" });
    expect((await open(bare)).note).toBeNull();
    await expect(open(bare, "agent")).rejects.toThrow("has no agent");
    expect(asked).toEqual(["ssh"]);
    const wrong = bare.open(principal, { target: "gpu9", to: TO, via: null });
    await expect(wrong).rejects.toMatchObject({ code: "not_found" });
  });

  it("[A42] the audit tells who reached what and by which way, once an hour for each", async () => {
    const tunnels = service({ agent: null, ssh: "key" });
    await open(tunnels);
    await open(tunnels);
    await open(tunnels, "ssh");
    await open(tunnels, null, { host: "db.lab", port: 5432 });
    clock.at = 59 * 60_000;
    await open(tunnels);
    expect((await audits()).sort()).toEqual([
      "Port 8000 of gpu1 is reached through the control plane, by its agent.",
      "Port 8000 of gpu1 is reached through the control plane, over SSH.",
      "db.lab:5432, as gpu1 sees it, is reached through the control plane, by its agent.",
    ]);
    clock.at = 61 * 60_000;
    await open(tunnels);
    expect(await audits()).toHaveLength(4);
  });
});
