import type { ServerMessage } from "@nexus/shared/protocol/messages";
import { encodeMessage } from "@nexus/shared/protocol/split-message";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mergeAnswers } from "./outbox.ts";

const attempt = fc.constantFrom("a_1", "a_2", "a_3");
const message: fc.Arbitrary<ServerMessage> = fc.oneof(
  fc.record({ type: fc.constant("log_ack" as const), attempt, logBytes: fc.nat(), rewind: fc.boolean() }),
  fc.record({ type: fc.constant("forget" as const), attempts: fc.array(attempt, { minLength: 1 }) }),
  fc.record({ type: fc.constant("heartbeat" as const), seq: fc.nat() }),
);

describe("answers", () => {
  it("[P16] of the acks for an attempt the last is sent, and nothing else is lost or reordered", () => {
    void fc.assert(
      fc.property(fc.array(message), (given) => {
        const merged = mergeAnswers(given);
        for (const name of ["a_1", "a_2", "a_3"]) {
          const acks = (list: ServerMessage[]) =>
            list.filter((one) => one.type === "log_ack" && one.attempt === name);
          expect(acks(merged)).toEqual(acks(given).slice(-1));
        }
        const forgotten = (list: ServerMessage[]) =>
          list.flatMap((one) => (one.type === "forget" ? one.attempts : []));
        expect(forgotten(merged)).toEqual(forgotten(given));
        const beats = (list: ServerMessage[]) => list.filter((one) => one.type === "heartbeat");
        expect(beats(merged)).toEqual(beats(given));
      }),
    );
  });

  it("[P16] hundreds of acks of one turn leave as one frame an attempt", () => {
    const acks = Array.from({ length: 300 }, (_, i) => ({
      type: "log_ack" as const,
      attempt: `a_${i % 3}`,
      logBytes: i,
      rewind: false,
    }));
    expect(mergeAnswers(acks).flatMap((one) => encodeMessage(one))).toHaveLength(3);
  });
});
