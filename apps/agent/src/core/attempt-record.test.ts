import fc from "fast-check";
import { expect, it } from "vitest";
import { lostLine, parseRecord } from "./attempt-record.ts";

const WHOLE = "claim 0b-1 71 5512 70 55.12 3 .\nchild 72 .\nexit 137 60.05 .\n";

it("[J27] a record read at any moment of its writing is a beginning of the truth, and an exit counts only when whole", () => {
  const whole = parseRecord(WHOLE);
  expect(whole.end).toEqual({ kind: "exit", status: 137, uptimeMs: 60_050 });
  for (let length = 0; length < WHOLE.length; length += 1) {
    const part = parseRecord(WHOLE.slice(0, length));
    expect([null, whole.claim]).toContainEqual(part.claim);
    expect([null, whole.childPid]).toContainEqual(part.childPid);
    expect(part.end).toBeNull();
  }
});

it("[J27] a line that was torn by a full disk or a death does not spoil the one after it", () => {
  const truth = parseRecord(WHOLE).end;
  for (let length = 0; length < WHOLE.length; length += 1) {
    const torn = WHOLE.slice(0, length);
    const lacksOnlyNewline = torn.endsWith(" .") && length === WHOLE.length - 1;
    const after = parseRecord(`${torn}\nexit 4 9.00 .\n`).end;
    expect(after).toEqual(lacksOnlyNewline ? truth : { kind: "exit", status: 4, uptimeMs: 9000 });
    const found = parseRecord(torn + lostLine(1230)).end;
    expect(found).toEqual(lacksOnlyNewline ? truth : { kind: "lost", uptimeMs: 1230 });
  }
});

it("[J27] the first end that was written counts", () => {
  expect(parseRecord("claim b 1 2 3 - .\nexit 0 - .\n\nexit 1 - .\n").end).toEqual({
    kind: "exit",
    status: 0,
    uptimeMs: null,
  });
});

it("[J27] any bytes can be read", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => parseRecord(text).exists));
});
