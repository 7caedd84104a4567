import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeFrame } from "./frame.ts";
import { readAgentMessage, readServerMessage } from "./read-message.ts";

describe("messages from a socket", () => {
  it("[P2] any bytes and any JSON are read or refused with a sentence, never thrown", () => {
    void fc.assert(
      fc.property(fc.uint8Array(), fc.boolean(), (data, isBinary) => {
        for (const read of [readAgentMessage({ data, isBinary }), readServerMessage({ data, isBinary })]) {
          if (!read.ok) expect(read.message).toMatch(/\w/);
        }
      }),
    );
    const header = fc.dictionary(fc.constantFrom("type", "attempt", "attempts", "seq"), fc.jsonValue());
    void fc.assert(
      fc.property(header, (given) => {
        readAgentMessage({ data: encodeFrame(given), isBinary: true });
        readServerMessage({ data: encodeFrame(given), isBinary: true });
      }),
    );
  });

  it("[P12] a refused message names its sender, its type and the field that is wrong", () => {
    const data = encodeFrame({ type: "log", attempt: "../../etc/passwd", fence: 1, offset: 0 });
    expect(readAgentMessage({ data, isBinary: true })).toMatchObject({
      ok: false,
      message: expect.stringMatching(/node.*"log".*attempt/),
    });
  });
});
