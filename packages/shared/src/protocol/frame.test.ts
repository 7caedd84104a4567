import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NexusError } from "../errors.ts";
import { decodeFrame, encodeFrame } from "./frame.ts";
import { FRAME_BYTES_MAX, HEADER_BYTES_MAX } from "./limits.ts";

describe("frame", () => {
  it("[P1] a frame carries its header and its payload unchanged", () => {
    void fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.uint8Array(), (header, payload) => {
        const plain = JSON.parse(JSON.stringify(header));
        const frame = decodeFrame(encodeFrame(plain, payload));
        expect(frame.header).toEqual(plain);
        expect([...frame.payload]).toEqual([...payload]);
      }),
    );
  });

  it("[P1] made around its payload it is the same, and touches no byte before the room that it was given", () => {
    void fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.uint8Array(), (header, payload) => {
        const plain = JSON.parse(JSON.stringify(header));
        const expected = encodeFrame(plain, payload);
        for (const headroom of [expected.length - payload.length, expected.length - payload.length - 1]) {
          const memory = new Uint8Array(3 + headroom + payload.length).fill(7);
          memory.set(payload, 3 + headroom);
          const frame = encodeFrame(plain, memory.subarray(3 + headroom), headroom);
          expect([...frame]).toEqual([...expected]);
          expect([...memory.subarray(0, 3)]).toEqual([7, 7, 7]);
        }
      }),
    );
  });

  it("[P2] random bytes give a frame or a protocol_error, never anything else", () => {
    void fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          decodeFrame(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(NexusError);
          expect((error as NexusError).code).toBe("protocol_error");
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("[P2] a damaged frame gives a frame or a protocol_error, never anything else", () => {
    const frame = encodeFrame({ type: "log", text: "ä✓" }, new Uint8Array(9));
    void fc.assert(
      fc.property(fc.nat(frame.length - 1), fc.nat(255), (at, byte) => {
        const damaged = frame.slice();
        damaged[at] = byte;
        try {
          decodeFrame(damaged);
        } catch (error) {
          expect((error as NexusError).code).toBe("protocol_error");
        }
      }),
    );
  });

  it("[P3] a frame with a header longer than the limit is refused by both ends", () => {
    const frame = new Uint8Array(HEADER_BYTES_MAX + 16);
    new DataView(frame.buffer).setUint32(0, HEADER_BYTES_MAX + 1);
    expect(() => decodeFrame(frame)).toThrow(/exceeds/);
    expect(() => encodeFrame({ text: "x".repeat(HEADER_BYTES_MAX) })).toThrow(NexusError);
  });

  it("[P3] a frame longer than the limit is not made", () => {
    expect(() => encodeFrame({}, new Uint8Array(FRAME_BYTES_MAX))).toThrow(NexusError);
  });
});
