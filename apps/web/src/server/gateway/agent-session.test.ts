import type { AgentMessage } from "@nexus/shared/protocol/messages";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openSession, type SessionEvent, type SessionState, stepSession } from "./agent-session.ts";
import { TEST_FACTS } from "./testing/test-node.ts";

const NONE = new Uint8Array(0);
const hello: AgentMessage = {
  type: "hello",
  nodeId: "t_1",
  protocolMin: 1,
  protocolMax: 1,
  agentNonce: "a",
  generation: 1,
  agentVersion: "1",
  bootId: "b",
  origin: "https://x",
  signature: "s",
};
const inventory = (generation: number, last: boolean): AgentMessage => ({
  type: "inventory",
  generation,
  facts: TEST_FACTS,
  gpus: [],
  attempts: [],
  last,
});
const message = (given: AgentMessage, payload = NONE): SessionEvent => ({
  type: "message",
  message: given,
  payload,
});
const welcomed: SessionEvent = {
  type: "welcomed",
  protocol: 1,
  generation: 2,
  signature: "s",
  heartbeatMs: 1000,
};

function run(events: SessionEvent[]) {
  let state: SessionState = openSession("nonce").state;
  const effects = [];
  for (const event of events) {
    const step = stepSession(state, event);
    state = step.state;
    effects.push(...step.effects);
  }
  return { state, effects };
}

describe("agent session", () => {
  it("[P6] hello is verified, welcomed, the inventory taken in parts, then all else is delivered in order", () => {
    const { state, effects } = run([
      message(hello),
      welcomed,
      message({ type: "heartbeat", seq: 1 }),
      message(inventory(2, false)),
      message(inventory(2, true)),
      message({ type: "started", attempts: [] }),
      message({ type: "log", attempt: "a_1", fence: 1, offset: 0 }, new Uint8Array(3)),
    ]);
    expect(state.phase).toBe("live");
    expect(effects.map((effect) => effect.do)).toEqual([
      "verify",
      "send",
      "deadline",
      "deadline",
      "sync",
      "deliver",
      "deliver",
    ]);
  });

  it("[P12] a message outside its state ends the session with a sentence", () => {
    const cases: SessionEvent[][] = [
      [message(inventory(2, true))],
      [message({ type: "heartbeat", seq: 0 })],
      [message(hello), message(hello)],
      [message(hello), welcomed, message({ type: "started", attempts: [] })],
      [message(hello), welcomed, message(inventory(7, true))],
      [message(hello), welcomed, message(inventory(2, true)), message(inventory(2, true))],
      [message(hello), welcomed, message(inventory(2, true)), message(hello)],
      [
        message(hello),
        welcomed,
        message(inventory(2, true)),
        message({ type: "heartbeat", seq: 0 }, new Uint8Array(1)),
      ],
      [{ type: "bad_frame", message: "bad" }],
    ];
    for (const events of cases) {
      const { state, effects } = run(events);
      expect(state.phase).toBe("closed");
      expect(effects.at(-1)).toMatchObject({
        do: "refuse",
        refusal: { close: "protocolError", code: "protocol_error", signature: null },
      });
    }
  });

  it("[B9] an inventory of more than 40 pieces ends the session with a sentence", () => {
    const part = message(inventory(2, false));
    const forty = run([message(hello), welcomed, ...Array.from({ length: 40 }, () => part)]);
    expect(forty.state.phase).toBe("syncing");
    const { state, effects } = run([message(hello), welcomed, ...Array.from({ length: 41 }, () => part)]);
    expect(state.phase).toBe("closed");
    expect(effects.at(-1)).toMatchObject({
      do: "refuse",
      refusal: { close: "protocolError", message: "The node sent an inventory of 41 parts." },
    });
  });

  it("[P11] a handshake that takes too long is refused, and says where it stopped", () => {
    const { effects } = run([message(hello), { type: "deadline" }]);
    expect(effects.at(-1)).toMatchObject({
      refusal: { close: "handshakeTimeout", message: expect.stringContaining("verifying") },
    });
  });

  it("[P6] whatever comes in whatever order, nothing is delivered before welcome and inventory, nor after the end", () => {
    const events = fc.constantFrom<SessionEvent>(
      message(hello),
      welcomed,
      message(inventory(2, false)),
      message(inventory(2, true)),
      message({ type: "heartbeat", seq: 1 }),
      message({ type: "exited", attempts: [] }),
      { type: "bad_frame", message: "x" },
      { type: "deadline" },
      { type: "closed" },
    );
    void fc.assert(
      fc.property(fc.array(events, { maxLength: 12 }), (given) => {
        let state: SessionState = openSession("nonce").state;
        const done = { hello: false, welcomed: false, synced: false };
        for (const event of given) {
          const before = state.phase;
          const step = stepSession(state, event);
          state = step.state;
          if (before === "closed") expect(step.effects).toEqual([]);
          for (const effect of step.effects) {
            if (effect.do === "verify") done.hello = true;
            if (effect.do === "send") done.welcomed = done.hello;
            if (effect.do === "sync") done.synced = done.welcomed;
            if (effect.do === "deliver") expect(done).toEqual({ hello: true, welcomed: true, synced: true });
            if (effect.do === "refuse") expect(state.phase).toBe("closed");
          }
        }
      }),
      { numRuns: 1000 },
    );
  });
});
