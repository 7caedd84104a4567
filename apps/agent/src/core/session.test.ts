import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  backoffMs,
  isProven,
  newSession,
  type Session,
  type SessionConfig,
  type SessionEffect,
  type SessionEvent,
  stepSession,
} from "./session.ts";

const config: SessionConfig = {
  nodeId: "t_1",
  origin: "https://nexus.example.org",
  agentVersion: "1",
  bootId: "b",
  sign: (text) => `node:${text}`,
  verifyServer: (text, signature) => signature === `server:${text}`,
  sha256: (text) => `h${text.length}`,
};

const challenge: SessionEvent = {
  type: "message",
  message: { type: "challenge", serverNonce: "sn", protocolMin: 1, protocolMax: 1 },
  payload: new Uint8Array(),
  nowMs: 0,
  agentNonce: "an",
};
const closed = (given: Partial<Extract<SessionEvent, { type: "closed" }>> = {}): SessionEvent => ({
  type: "closed",
  problem: null,
  retryAfterMs: null,
  nowMs: 1000,
  random: 0.5,
  ...given,
});
const hear = (message: Extract<SessionEvent, { type: "message" }>["message"]): SessionEvent => ({
  type: "message",
  message,
  payload: new Uint8Array(),
  nowMs: 0,
  agentNonce: "an",
});

function run(events: SessionEvent[], from: Session = newSession(4)) {
  let session = from;
  let effects: SessionEffect[] = [];
  for (const event of events) {
    const step = stepSession(session, event, config);
    session = step.session;
    effects = step.effects;
  }
  return { session, effects };
}

/** Signed as a right server would. */
function welcomeFor(session: Session, generation = 5): SessionEvent {
  if (session.phase.name !== "welcoming") throw new Error(session.phase.name);
  const { helloSha256 } = session.phase;
  const signature = `server:nexus-v1|server|t_1|sn|an|1|https://nexus.example.org|${generation}|${helloSha256}`;
  return hear({ type: "welcome", protocol: 1, generation, heartbeatMs: 1000, signature });
}

const greeted = run([{ type: "start" }, { type: "opened" }, challenge]).session;
const proven = run([welcomeFor(greeted)], greeted).session;
const live = run([{ type: "saved", generation: 5 }, hear({ type: "sync", attempts: [] })], proven).session;

describe("session of the node", () => {
  it("[P32] hello is sent on the challenge, and the generation is written down before the inventory confirms it", () => {
    expect(greeted.phase.name).toBe("welcoming");
    const welcomed = run([welcomeFor(greeted)], greeted);
    expect(welcomed.effects).toEqual([{ do: "save_generation", generation: 5 }]);
    expect(welcomed.session.generation).toBe(4);
    const saved = run([{ type: "saved", generation: 5 }], welcomed.session);
    expect(saved.effects).toEqual([{ do: "send_inventory", generation: 5 }]);
    expect(saved.session.generation).toBe(5);
    expect(live.phase.name).toBe("live");
  });

  it("[P33] a welcome that the pinned server did not sign for this handshake is turned down", () => {
    const right = welcomeFor(greeted);
    if (right.type !== "message" || right.message.type !== "welcome") throw new Error("not a welcome");
    const wrong = [
      { ...right.message, signature: "server:else" },
      { ...right.message, generation: 6 },
      { ...right.message, protocol: 2 },
    ];
    for (const message of wrong) {
      const { session, effects } = run([hear(message)], greeted);
      expect(effects).toMatchObject([{ do: "hang_up", problem: { code: "pin_mismatch" } }]);
      expect(isProven(session.phase)).toBe(false);
    }
    const old = run([welcomeFor(greeted, 4)], greeted);
    expect(old.effects).toMatchObject([{ do: "hang_up", problem: { code: "protocol_error" } }]);
  });

  it("[P34] only a refusal signed for this handshake ends the attempts; anything else is tried again", () => {
    const refusal = (code: string, signature: string | null): SessionEvent =>
      hear({ type: "refuse", code, message: "no", retryAfterMs: null, signature });
    const signed = (code: string) => `server:nexus-v1|refuse|t_1|sn|an|${code}`;
    for (const code of ["node_revoked", "node_cloned"]) {
      for (const from of [greeted, proven, live]) {
        const { session, effects } = run([refusal(code, signed(code))], from);
        expect(session.phase.name).toBe("stopped");
        expect(effects.at(-1)).toMatchObject({ do: "stopped", problem: { code } });
      }
    }
    const notFinal = [
      refusal("node_revoked", null),
      refusal("node_revoked", "forged"),
      refusal("node_revoked", signed("node_cloned")),
      refusal("needs_update", signed("needs_update")),
      refusal("unauthenticated", null),
      refusal("no_such_code", null),
    ];
    for (const event of notFinal) {
      const { session, effects } = run([event, closed()], greeted);
      expect(session.phase.name).toBe("waiting");
      expect(effects).toMatchObject([{ do: "wake_after", waitMs: expect.any(Number) }]);
    }
  });

  it("[P27] waits grow with full jitter from half a second to a minute, and begin anew after a minute that held", () => {
    expect(backoffMs(0, 0)).toBe(500);
    expect(backoffMs(0, 1)).toBe(500);
    expect(backoffMs(2, 1)).toBe(2000);
    expect([3, 8, 9, 10].map((failures) => backoffMs(failures, 1))).toEqual([3000, 3000, 4000, 8000]);
    expect(backoffMs(50, 1)).toBe(60_000);
    void fc.assert(
      fc.property(fc.nat(100), fc.double({ min: 0, max: 1, noNaN: true }), (failures, random) => {
        const waitMs = backoffMs(failures, random);
        expect(waitMs).toBeGreaterThanOrEqual(500);
        expect(waitMs).toBeLessThanOrEqual(60_000);
      }),
    );
    let session = run([{ type: "start" }]).session;
    const waits: number[] = [];
    for (let i = 0; i < 10; i += 1) {
      const step = run([closed({ random: 1 }), { type: "wake" }], session);
      session = step.session;
      waits.push(session.failures);
    }
    expect(waits).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(run([closed({ nowMs: 59_999 })], { ...live, failures: 9 }).session.failures).toBe(10);
    expect(run([closed({ nowMs: 60_000 })], { ...live, failures: 9 }).session.failures).toBe(1);
  });

  it("[P27] who is only away is asked every few seconds for ever, who refuses less and less often, who names a time then", () => {
    const dialing = { ...run([{ type: "start" }]).session, failures: 500 };
    const away = { code: "unavailable", message: "nothing listens there" } as const;
    const refused = { code: "protocol_error", message: "status 502" } as const;
    const wait = (session: Session, event: Parameters<typeof closed>[0]) =>
      run([closed({ random: 1, ...event })], session).effects;
    expect(wait(dialing, { problem: away })).toEqual([{ do: "wake_after", waitMs: 5_000 }]);
    expect(wait({ ...live, failures: 500 }, { problem: away })).toEqual([
      { do: "wake_after", waitMs: 5_000 },
    ]);
    expect(wait(dialing, { problem: refused })).toEqual([{ do: "wake_after", waitMs: 60_000 }]);
    expect(wait(dialing, { problem: away, retryAfterMs: 2_000 })).toEqual([
      { do: "wake_after", waitMs: 5_000 },
    ]);
  });
  it("[P27] the server's wish to come back later is honoured, up to ten minutes", () => {
    const dialing = run([{ type: "start" }]).session;
    const wait = (retryAfterMs: number) => run([closed({ retryAfterMs, random: 0 })], dialing).effects[0];
    expect(wait(7_000)).toEqual({ do: "wake_after", waitMs: 7_500 });
    expect(wait(1e12)).toEqual({ do: "wake_after", waitMs: 600_500 });
    const asked = hear({
      type: "refuse",
      code: "unavailable",
      message: "",
      retryAfterMs: 3000,
      signature: null,
    });
    expect(run([asked, closed({ random: 0 })], live).effects).toEqual([{ do: "wake_after", waitMs: 3_500 }]);
  });

  it("[P27] the first reason stays the reason, until a connection holds", () => {
    const refusal = hear({
      type: "refuse",
      code: "needs_update",
      message: "update me",
      retryAfterMs: null,
      signature: null,
    });
    const waiting = run([refusal, closed({ problem: { code: "unavailable", message: "cut" } })], greeted);
    expect(waiting.session.problem).toEqual({ code: "needs_update", message: "update me" });
    expect(waiting.effects).toMatchObject([{ do: "wake_after", waitMs: expect.any(Number) }]);
    expect(live.problem).toBeNull();
  });

  it("[P35] heartbeats are answered with their number once the server is proven, before that not at all", () => {
    const beat = hear({ type: "heartbeat", seq: 9 });
    expect(run([beat], live).effects).toEqual([{ do: "send", message: { type: "heartbeat", seq: 9 } }]);
    expect(run([beat], greeted).effects).toEqual([]);
  });

  it("[P35] a message outside its state ends the connection, and no order of events throws or goes on after the end", () => {
    const events = fc.constantFrom<SessionEvent>(
      { type: "start" },
      { type: "wake" },
      { type: "opened" },
      challenge,
      hear({ type: "welcome", protocol: 1, generation: 5, heartbeatMs: 1, signature: "x" }),
      hear({ type: "sync", attempts: [] }),
      hear({ type: "forget", attempts: [] }),
      hear({ type: "heartbeat", seq: 1 }),
      hear({ type: "refuse", code: "x", message: "", retryAfterMs: null, signature: null }),
      { type: "bad_frame", message: "x" },
      { type: "saved", generation: 5 },
      closed(),
      { type: "stop" },
    );
    void fc.assert(
      fc.property(fc.array(events), (given) => {
        let session = newSession(4);
        for (const event of given) {
          const step = stepSession(session, event, config);
          if (session.phase.name === "stopped") expect(step.effects).toEqual([]);
          for (const effect of step.effects) {
            if (effect.do === "deliver") expect(isProven(session.phase)).toBe(true);
            if (effect.do === "stopped") expect(event.type).toBe("stop");
          }
          session = step.session;
        }
      }),
    );
  });
});
