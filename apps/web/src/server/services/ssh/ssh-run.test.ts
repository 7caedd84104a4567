import { describe, expect, it, onTestFinished, vi } from "vitest";
import { createSshRun } from "./ssh-run.ts";

const QUESTION = { name: "gpu1", type: "ssh-ed25519", fingerprint: "SHA256:abc" };

const principal = { userId: "u_a", userName: "ada", teamId: "tm_1", role: "owner" } as const;
const grace = { userId: "u_g", userName: "grace", teamId: "tm_1", role: "admin" } as const;

function start(secrets: string[] = []) {
  return createSshRun({
    ...{ id: "sr_1", act: "enrol", principal, addresses: ["ada@gpu1", "ada@gpu2"], secrets },
    ...{ startedAtMs: 0, nowMs: () => 1 },
  });
}

describe("a run over SSH", () => {
  it("[E42] no line and no message shows a secret, also one that became known later, or one of its lines", () => {
    const key =
      "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n-----END OPENSSH PRIVATE KEY-----\n";
    const run = start(["hunter2pass", key]);
    run.hide("nxe1_token");
    run.teller(0, "enrol")("info", "said hunter2pass and nxe1_token");
    run.teller(0, "enrol")("error", `it printed\nb3BlbnNzaC1rZXktdjEAAAAA`);
    run.set(0, { message: "failed with hunter2pass" });
    const text = JSON.stringify(run.view(0));
    for (const secret of ["hunter2pass", "nxe1_token", "b3BlbnNzaC1rZXktdjEAAAAA"])
      expect(text).not.toContain(secret);
    expect(run.view(0).lines.map((line) => line.text)).toEqual(["said ••• and •••", "it printed", "•••"]);
  });

  it("[E41] who reads on after a line misses none and sees none twice", async () => {
    const run = start();
    run.teller(0, "connect")("info", "one");
    const first = run.view(0);
    const waiting = run.changed(run.changes(), 10_000);
    run.teller(1, "connect")("info", "two");
    await waiting;
    expect(first.lines.map(({ text }) => text)).toEqual(["one"]);
    expect(run.view(first.lines.at(-1)?.seq ?? 0).lines.map(({ text }) => text)).toEqual(["two"]);
  });

  it("[B12] of 30,000 lines the newest 20,000 stay, each of 2,000 characters at most, and who reads on misses none of these", () => {
    const run = start();
    const tell = run.teller(0, "copy");
    for (let number = 1; number <= 30_000; number += 1) tell("info", `${number} ${"x".repeat(3_000)}`);
    const { lines } = run.view(0);
    expect(lines.length).toBeGreaterThanOrEqual(20_000);
    expect(lines.length).toBeLessThanOrEqual(22_000);
    expect(lines.at(-1)).toMatchObject({ seq: 30_000, text: expect.stringMatching(/^30000 x{1994}$/) });
    expect(lines.map(({ seq }) => seq)).toEqual(lines.map((_, index) => 30_000 - lines.length + 1 + index));
  });

  it("[E43] a question is answered by naming the key that was shown, once", async () => {
    const run = start();
    const asked = run.ask(1, QUESTION);
    expect(run.view(0).hosts[1]).toMatchObject({ state: "asking", question: QUESTION });
    expect(() => run.answer(1, { fingerprint: "SHA256:other", accept: true }, grace)).toThrow(/no such key/);
    expect(() => run.answer(0, { fingerprint: QUESTION.fingerprint, accept: true }, grace)).toThrow(
      /no such key/,
    );
    run.answer(1, { fingerprint: QUESTION.fingerprint, accept: true }, grace);
    expect(await asked).toBe(grace);
    expect(() => run.answer(1, { fingerprint: QUESTION.fingerprint, accept: true }, grace)).toThrow(
      /no such key/,
    );
    expect(run.view(0).hosts[1]).toMatchObject({ state: "working", question: null });
  });

  it("[E43] a run that is cancelled answers its questions with no", async () => {
    const run = start();
    const asked = run.ask(0, QUESTION);
    run.cancel();
    expect(await asked).toBeNull();
    expect(await run.ask(0, QUESTION)).toBeNull();
  });

  it("[E42] a secret that is part of a longer one leaves nothing of that one", () => {
    const run = start(["pass", "password-of-gpu1"]);
    run.teller(0, "enrol")("info", "it printed password-of-gpu1 and pass");
    expect(run.view(0).lines.map(({ text }) => text)).toEqual(["it printed ••• and •••"]);
  });

  it("[E42] what would come after the end, when the secrets are forgotten, is not written", () => {
    const run = start(["hunter2pass"]);
    run.end();
    run.teller(0, "enrol")("info", "hunter2pass");
    expect(run.view(0).lines).toEqual([]);
  });

  it("[E43] a question that nobody answers in time ends with no; a machine that ended meanwhile stays so", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    onTestFinished(() => void vi.useRealTimers());
    const run = start();
    const asked = run.ask(0, QUESTION);
    run.set(0, { state: "failed", message: "The connection broke." });
    vi.advanceTimersByTime(24 * 60 * 60_000);
    expect(await asked).toBeNull();
    expect(run.view(0).hosts[0]).toMatchObject({ state: "failed", question: null });
  });

  it("[E41] changes that come together are told together, of the machines that changed alone, and nothing listens on", async () => {
    const run = start();
    const reader = new AbortController();
    const signal = reader.signal as AbortSignal;
    const remove = vi.spyOn(signal, "removeEventListener");
    const add = vi.spyOn(signal, "addEventListener");
    const seen = run.changes();
    const waiting = run.changed(seen, 10_000, signal);
    run.teller(1, "connect")("info", "one");
    run.set(1, { state: "working" });
    run.teller(1, "connect")("info", "two");
    await waiting;
    const view = run.view(0, seen);
    expect(view.lines).toHaveLength(2);
    expect(view.hosts.map(({ index }) => index)).toEqual([1]);
    expect(remove).toHaveBeenCalledTimes(add.mock.calls.length);
  });
});
