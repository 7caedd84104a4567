import { newKeyPair, signText } from "@nexus/shared/crypto/ed25519";
import { decodeEnrollToken, encodeEnrollToken } from "@nexus/shared/protocol/enroll-token";
import { goodbyeTranscript } from "@nexus/shared/protocol/handshake";
import { eq } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { switchTargetKind } from "../db/queries/switch-target-kind.ts";
import { auditEvent } from "../db/schema/audit.ts";
import { enrollToken, nodeKey, target } from "../db/schema/target.ts";
import { startTestControlPlane, type TestControlPlane } from "../gateway/testing/test-control-plane.ts";
import { enrollTestNode, openTestSocket, TEST_FACTS } from "../gateway/testing/test-node.ts";
import { nameFromHost } from "./enroll-node.ts";

let plane: TestControlPlane;
beforeAll(async () => {
  plane = await startTestControlPlane();
});
afterAll(() => plane.close());

const usesOf = async (publicId: string) =>
  (await plane.ctx.db.select().from(enrollToken).where(eq(enrollToken.publicId, publicId)))[0]?.uses;

describe("enrolment", () => {
  it("[E6] a machine that signs with the token and its own key becomes a node, all or nothing", async () => {
    const { secret, enrollToken: token } = await plane.token({ labels: { role: "lab" }, name: "big-box" });
    const { status, body } = await enrollTestNode(secret);
    expect(status).toBe(200);
    expect(body).toMatchObject({ name: "big-box", team: "Lab" });
    const rows = await plane.ctx.db
      .select()
      .from(target)
      .innerJoin(nodeKey, eq(nodeKey.targetId, target.id))
      .where(eq(target.publicId, body.nodeId ?? ""));
    expect(rows[0]?.target).toMatchObject({ kind: "agent", state: "connecting", labels: { role: "lab" } });
    expect(rows[0]?.node_key).toMatchObject({ generation: 0, generationOffered: 0 });
    expect(await usesOf(token.id)).toBe(1);
    const listed = (await plane.enrollment.listEnrollTokens(plane.principal)).find(
      (one) => one.id === token.id,
    );
    expect(listed).toMatchObject({ state: "used", targets: [{ id: body.nodeId, name: "big-box" }] });
  });

  it("[E7] a used token is refused and named as used", async () => {
    const { secret } = await plane.token();
    await enrollTestNode(secret);
    const { status, body } = await enrollTestNode(secret);
    expect(status).toBe(409);
    expect(body.error).toMatchObject({
      code: "token_used",
      message: expect.stringMatching(/used up.*new one/i),
    });
  });

  it("[E7] an expired token is refused and named as expired", async () => {
    const { secret, enrollToken: token } = await plane.token();
    await plane.ctx.db
      .update(enrollToken)
      .set({ expiresAt: new Date(Date.now() - 1000) })
      .where(eq(enrollToken.publicId, token.id));
    expect((await enrollTestNode(secret)).body.error?.code).toBe("token_expired");
  });

  it("[E7] a revoked token is refused and named as revoked", async () => {
    const { secret, enrollToken: token } = await plane.token();
    const revoked = await plane.enrollment.revokeEnrollToken(plane.principal, { id: token.id });
    expect(revoked.state).toBe("revoked");
    expect((await enrollTestNode(secret)).body.error?.code).toBe("token_revoked");
  });

  it("[E7] a token that was never given out is unknown, and one with another seed does not sign", async () => {
    const { secret } = await plane.token();
    const parts = decodeEnrollToken(secret);
    const unknown = encodeEnrollToken({ ...parts, tokenId: "et_0000000000" });
    expect((await enrollTestNode(unknown)).body.error?.code).toBe("token_unknown");
    const forged = encodeEnrollToken({ ...parts, seed: newKeyPair().seed });
    expect((await enrollTestNode(forged)).body.error?.code).toBe("signature_invalid");
    expect((await enrollTestNode(secret)).status).toBe(200);
  });

  it("[E8] one use goes to one node, also when many ask at once", async () => {
    const { secret, enrollToken: token } = await plane.token({ usesMax: 3 });
    const all = await Promise.all(Array.from({ length: 8 }, () => enrollTestNode(secret)));
    expect(all.filter((one) => one.status === 200)).toHaveLength(3);
    expect(all.filter((one) => one.body.error?.code === "token_used")).toHaveLength(5);
    expect(await usesOf(token.id)).toBe(3);
    expect(new Set(all.map((one) => one.body.nodeId).filter(Boolean)).size).toBe(3);
  });

  it("[E9] an answer that got lost is given again to the same key, and takes no second use", async () => {
    const { secret, enrollToken: token } = await plane.token({ usesMax: 2 });
    const key = newKeyPair();
    const [first, again] = [await enrollTestNode(secret, { key }), await enrollTestNode(secret, { key })];
    expect(again.body.nodeId).toBe(first.body.nodeId);
    const both = await Promise.all([enrollTestNode(secret, { key }), enrollTestNode(secret, { key })]);
    expect(new Set(both.map((one) => one.body.nodeId))).toEqual(new Set([first.body.nodeId]));
    expect(await usesOf(token.id)).toBe(1);
  });

  it("[E10] nothing that was signed can be changed on the way", async () => {
    const { secret } = await plane.token({ usesMax: 100 });
    const other = newKeyPair();
    const withOtherStart = (text: string) => `${text.startsWith("x") ? "y" : "x"}${text.slice(1)}`;
    const changes: Parameters<typeof enrollTestNode>[1][] = [
      { change: (request) => (request.facts = request.facts.replace("gpu1", "gpu2")) },
      { change: (request) => (request.publicKey = other.publicKey) },
      { change: (request) => (request.agentNonce = withOtherStart(request.agentNonce)) },
      { change: (request) => (request.serverNonce = withOtherStart(request.serverNonce)) },
      { change: (request) => (request.nodeSignature = request.tokenSignature) },
      { change: (request) => (request.tokenSignature = request.nodeSignature) },
    ];
    for (const change of changes) {
      expect((await enrollTestNode(secret, change)).body.error?.code).toBe("signature_invalid");
    }
    const relayed = await enrollTestNode(secret, {
      change: (request) => (request.origin = "https://elsewhere.example.org"),
    });
    expect(relayed.body.error).toMatchObject({
      code: "forbidden",
      message: expect.stringContaining("NEXUS_PUBLIC_URL"),
    });
  });

  it("[E10] a challenge is good for two minutes", async () => {
    const { secret } = await plane.token();
    const late = await enrollTestNode(secret, { change: () => (plane.clock.skewMs = 121_000) });
    plane.clock.skewMs = 0;
    expect(late.body.error).toMatchObject({
      code: "signature_invalid",
      message: expect.stringContaining("two minutes"),
    });
  });

  it("[E11] a name that follows from the machine gets a number, a name that a person chose is refused when taken", async () => {
    const { secret } = await plane.token({ usesMax: 10 });
    const names = [];
    for (let i = 0; i < 3; i += 1) names.push((await enrollTestNode(secret)).body.name);
    expect(names).toEqual([names[0], expect.stringMatching(/-\d+$/), expect.stringMatching(/-\d+$/)]);
    expect(new Set(names).size).toBe(3);
    await enrollTestNode(secret, { name: "mine" });
    const taken = await enrollTestNode(secret, { name: "mine" });
    expect(taken.body.error).toMatchObject({ code: "conflict", message: expect.stringContaining("--name") });
    expect((await enrollTestNode(secret, { name: "Not A Name" })).body.error?.code).toBe("bad_request");
  });

  it("[E11] any hostname gives a name", () => {
    expect(nameFromHost("GPU1.lab.example.org")).toBe("gpu1");
    expect(nameFromHost("--Ada's MacBook--")).toBe("ada-s-macbook");
    expect(nameFromHost("日本")).toBe("node");
    expect(nameFromHost("x".repeat(200)).length).toBeLessThanOrEqual(63);
  });

  it("[E12] a token for a target reinstalls it: same target, new key, the old one is worth nothing", async () => {
    const first = await enrollTestNode((await plane.token()).secret);
    const old = await openTestSocket(plane.origin);
    await old.connect(first.identity);
    await plane.port.seen("inventory", (entry) => entry.node.targetPublicId === first.body.nodeId);
    const token = await plane.token({ target: first.body.name ?? "" });
    const second = await enrollTestNode(token.secret);
    expect(second.body.nodeId).toBe(first.body.nodeId);
    expect((await old.closed).code).toBe(4409);
    const stale = await openTestSocket(plane.origin);
    await stale.hello(first.identity);
    expect(await stale.next("refuse")).toMatchObject({ code: "signature_invalid", signature: null });
    const fresh = await openTestSocket(plane.origin);
    await fresh.connect(second.identity);
    fresh.ws.terminate();
  });

  it("[E57] an agent that connects while its target is switched does not come in, and serves again by a new token", async () => {
    const { identity, body } = await enrollTestNode((await plane.token()).secret);
    const [row] = await plane.ctx.db.select().from(target).where(eq(target.publicId, identity.nodeId));
    const id = row?.id ?? 0;
    const late = await openTestSocket(plane.origin);
    await late.hello(identity);
    const { generation } = await late.next("welcome");
    expect(await plane.ctx.db.transaction((tx) => switchTargetKind(tx, id, "ssh"))).toEqual([]);
    const facts = { facts: TEST_FACTS, gpus: [], attempts: [], last: true };
    late.send({ type: "inventory", generation, ...facts });
    await late.closed;
    const again = await openTestSocket(plane.origin);
    // It wrote the offer down before it was switched.
    await again.hello({ ...identity, generation });
    expect(await again.next("refuse")).toMatchObject({
      code: "conflict",
      message: expect.stringContaining("is served without an agent at present"),
    });
    await again.closed;
    expect(plane.port.records.filter(({ node }) => node.targetId === id)).toEqual([]);

    const token = await plane.token({ target: body.name ?? "" });
    const back = await enrollTestNode(token.secret);
    expect(back.body.nodeId).toBe(identity.nodeId);
    const fresh = await openTestSocket(plane.origin);
    await fresh.connect(back.identity);
    await plane.port.seen("inventory", (entry) => entry.node.targetId === id);
    fresh.ws.terminate();
    const [now] = await plane.ctx.db.select().from(target).where(eq(target.id, id));
    expect(now).toMatchObject({ kind: "agent", name: body.name });
  });

  it("[E13] a node takes itself out of the fleet, signed with its key and with no other", async () => {
    const { identity, body } = await enrollTestNode((await plane.token()).secret);
    const socket = await openTestSocket(plane.origin);
    await socket.connect(identity);
    await plane.port.seen("inventory", (entry) => entry.node.targetPublicId === body.nodeId);
    const goodbye = async (seed: string) => {
      const nonce = "n".repeat(43);
      const asked = await fetch(
        `${plane.origin}/api/enroll/challenge?node=${identity.nodeId}&nonce=${nonce}`,
      );
      const { serverNonce } = (await asked.json()) as { serverNonce: string };
      const terms = { nodeId: identity.nodeId, serverNonce, agentNonce: nonce, origin: plane.origin };
      return await fetch(`${plane.origin}/api/enroll/goodbye`, {
        method: "POST",
        body: JSON.stringify({ ...terms, signature: signText(seed, goodbyeTranscript(terms)) }),
      });
    };
    expect((await goodbye(newKeyPair().seed)).status).toBe(401);
    expect((await goodbye(identity.key.seed)).status).toBe(200);
    expect((await socket.closed).code).toBe(4403);
    expect((await goodbye(identity.key.seed)).status).toBe(200);
    const rows = await plane.ctx.db.select().from(target).where(eq(target.publicId, identity.nodeId));
    expect(rows[0]).toMatchObject({ state: "revoked", revokedAt: expect.any(Date) });
    const audit = await plane.ctx.db.select().from(auditEvent).where(eq(auditEvent.subject, identity.nodeId));
    expect(audit.map((row) => row.action)).toEqual(["target.enrolled", "target.left"]);
  });

  it("[E14] the list of tokens holds no seed, and another team sees and revokes nothing", async () => {
    const { secret, enrollToken: token } = await plane.token();
    const { seed } = decodeEnrollToken(secret);
    expect(JSON.stringify(await plane.enrollment.listEnrollTokens(plane.principal))).not.toContain(seed);
    const stranger = { ...plane.principal, teamId: "tm_other00000" };
    expect(await plane.enrollment.listEnrollTokens(stranger)).toEqual([]);
    await expect(plane.enrollment.revokeEnrollToken(stranger, { id: token.id })).rejects.toThrow(
      /no enrolment token/,
    );
    await expect(
      plane.enrollment.createEnrollToken(stranger, {
        labels: {},
        usesMax: 1,
        ttlMs: 60_000,
        target: "big-box",
      }),
    ).rejects.toThrow(/no target/);
  });
});
