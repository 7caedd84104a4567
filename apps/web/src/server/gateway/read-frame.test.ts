import { encodeFrame } from "@nexus/shared/protocol/frame";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readFrame } from "./read-frame.ts";

describe("frames of agents", () => {
  it("[P2] any bytes and any JSON are read or refused with a sentence, never thrown", () => {
    void fc.assert(
      fc.property(fc.uint8Array(), fc.boolean(), (bytes, isBinary) => {
        const read = readFrame(bytes, isBinary);
        if (!read.ok) expect(read.message).toMatch(/\w/);
      }),
    );
    void fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom("type", "attempt", "attempts", "seq"), fc.jsonValue()),
        (header) => {
          readFrame(encodeFrame(header), true);
        },
      ),
    );
  });

  it("[P12] a refused message names its type and the field that is wrong", () => {
    const read = readFrame(
      encodeFrame({ type: "log", attempt: "../../etc/passwd", fence: 1, offset: 0 }),
      true,
    );
    expect(read).toMatchObject({ ok: false, message: expect.stringMatching(/"log".*attempt/) });
  });
});
