import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { agoText, bytesText, memoryText } from "./amounts.ts";
import { createPaint } from "./paint.ts";
import { parseDurationMs, parseMemoryMib } from "./parse-amounts.ts";
import { plain, plainJson } from "./plain.ts";
import { startSpinner } from "./spinner.ts";
import { columnsLeftOut, tableLines } from "./table.ts";
import { displayWidth, fitWidth, wrapWidth } from "./width.ts";

const paint = createPaint({ isTty: false, env: {} });

describe("tables", () => {
  it("[N7] columns are aligned, numbers to the right", () => {
    const lines = tableLines(
      [{ title: "NAME" }, { title: "N", align: "right" }, { title: "WHAT" }],
      [
        ["a", "1", "x"],
        ["long", "100", "y"],
      ],
      { paint, columns: null },
    );
    expect(lines).toEqual(["NAME    N  WHAT", "a       1  x", "long  100  y"]);
  });

  it("[N7] no line is wider than the terminal as long as there is something to cut, whatever the text", () => {
    const cell = fc.string({ unit: "grapheme", maxLength: 60 });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(cell, cell, cell), { maxLength: 6 }),
        fc.integer({ min: 24, max: 120 }),
        (rows, room) => {
          const columns = [
            { title: "A", cutTo: 4 },
            { title: "B", cutTo: 4 },
            { title: "C", cutTo: 4 },
          ];
          for (const line of tableLines(columns, rows, { paint, columns: room })) {
            expect(displayWidth(line)).toBeLessThanOrEqual(room);
          }
        },
      ),
    );
  });

  it("[N7] no line is wider than the terminal for real tables of any text, down to 20 columns", () => {
    const cell = fc.string({ unit: "grapheme", maxLength: 60 });
    const columns = [
      { title: "JOB" },
      { title: "STATE" },
      { title: "N", align: "right" as const, leaveOut: 2 },
      { title: "USER", cutTo: 6, leaveOut: 1 },
      { title: "BECAUSE", cutTo: 8, wraps: true },
    ];
    const fixed = [fc.constant("j_0123456789"), fc.constantFrom("● running", "✗ failed")] as const;
    fc.assert(
      fc.property(
        fc.array(fc.tuple(...fixed, cell, cell, cell), { maxLength: 6 }),
        fc.integer({ min: 20, max: 200 }),
        (rows, room) => {
          for (const line of tableLines(columns, rows, { paint, columns: room })) {
            expect(displayWidth(line)).toBeLessThanOrEqual(room);
          }
        },
      ),
    );
  });

  it("[N7] what matters least is left out first, what matters stays whole, and the last goes on below", () => {
    const columns = [
      { title: "JOB" },
      { title: "PRIO", leaveOut: 2 },
      { title: "USER", cutTo: 4, leaveOut: 1 },
      { title: "BECAUSE", cutTo: 12, wraps: true },
    ];
    const rows = [["j_0123456789", "0", "hopper", "needs 2 GPUs; gpu-a has 1 of 8 free"]];
    const at = (room: number | null) => tableLines(columns, rows, { paint, columns: room });
    expect(at(null)[1]).toBe("j_0123456789  0     hopper  needs 2 GPUs; gpu-a has 1 of 8 free");
    expect(at(40)).toEqual([
      "JOB           PRIO  USER    BECAUSE",
      "j_0123456789  0     hopper  needs 2",
      "                            GPUs; gpu-a",
      "                            has 1 of 8",
      "                            free",
    ]);
    expect(at(30)[0]).toBe("JOB           BECAUSE");
    expect(
      at(30)
        .slice(1)
        .map((line) => line.slice(14))
        .join(" "),
    ).toBe("needs 2 GPUs; gpu-a has 1 of 8 free");
  });

  it("[N7] a wrapped text keeps every word, and breaks those that fit no line", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "grapheme-ascii", maxLength: 80 }),
        fc.integer({ min: 2, max: 30 }),
        (text, room) => {
          const lines = wrapWidth(text, room);
          for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(room);
          expect(lines.join("").replace(/\s/g, "")).toBe(text.replace(/\s/g, ""));
        },
      ),
    );
  });

  it("[N7] names the columns that say something and for which there is no room", () => {
    const columns = [{ title: "TARGET" }, { title: "LABELS", leaveOut: 2 }, { title: "NOTICE", leaveOut: 1 }];
    const rows = [["a-machine", "", "its disk is full"]];
    expect(columnsLeftOut(columns, rows, { paint, columns: 12 })).toEqual(["NOTICE"]);
    expect(columnsLeftOut(columns, rows, { paint, columns: null })).toEqual([]);
  });

  it("[N7] in a pipe nothing is cut", () => {
    const long = "x".repeat(500);
    expect(tableLines([{ title: "A", cutTo: 1 }], [[long]], { paint, columns: null })[1]).toBe(long);
  });

  it("[N7] wide and combining characters count as what they take", () => {
    expect(["abc", "日本", "é", "e\u0301", "🚀"].map(displayWidth)).toEqual([3, 4, 1, 1, 2]);
    expect(fitWidth("日本語", 5)).toBe("日本…");
    expect(fitWidth("日本語", 4)).toBe("日…");
    expect(fitWidth("ab", 2)).toBe("ab");
    expect([fitWidth("abc", 1), fitWidth("abc", 0)]).toEqual(["…", ""]);
  });

  it("[N7] colour is for terminals, unless NO_COLOR; FORCE_COLOR asks for it", () => {
    const isColoured = (isTty: boolean, env: Record<string, string>) =>
      createPaint({ isTty, env })("red", "x") !== "x";
    expect(isColoured(true, {})).toBe(true);
    expect(isColoured(false, {})).toBe(false);
    expect(isColoured(true, { NO_COLOR: "1" })).toBe(false);
    expect(isColoured(true, { NO_COLOR: "" })).toBe(true);
    expect(isColoured(true, { TERM: "dumb" })).toBe(false);
    expect(isColoured(false, { FORCE_COLOR: "1" })).toBe(true);
    expect(isColoured(true, { FORCE_COLOR: "1", NO_COLOR: "1" })).toBe(false);
  });

  it("[N7] a spinner says nothing in a pipe", () => {
    const written: string[] = [];
    const spinner = startSpinner({ isTTY: false, write: (text) => written.push(text) }, "Asking");
    spinner.say("Still asking");
    spinner.stop();
    expect(written).toEqual([]);
  });
});

describe("text of others", () => {
  it("[N6] keeps no character that a terminal acts on", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        for (const shown of [plain(text), plainJson(text)]) {
          expect(shown).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
        }
        expect(JSON.parse(plainJson(text))).toBe(text);
      }),
    );
  });
});

describe("amounts", () => {
  it("[N10] durations and memory are read as people write them", () => {
    const ms = (text: string) => parseDurationMs(text, "--timeout");
    expect(["90", "90s", "10m", "1h30m", "2d", "1.5h", "250ms", " 1H "].map(ms)).toEqual([
      90_000, 90_000, 600_000, 5_400_000, 172_800_000, 5_400_000, 250, 3_600_000,
    ]);
    for (const text of ["", "soon", "1x", "-1s", "1h x", "m"]) expect(() => ms(text)).toThrow(/--timeout/);
    const mib = (text: string) => parseMemoryMib(text, "--gpu-memory");
    expect(["512", "512MiB", "20GiB", "20g", "1.5 GiB", "1TiB", "20GB"].map(mib)).toEqual([
      512, 512, 20_480, 20_480, 1536, 1_048_576, 19_074,
    ]);
    for (const text of ["", "0", "lots", "-1", "1XB"]) expect(() => mib(text)).toThrow(/--gpu-memory/);
  });

  it("[N10] and shown in at most two units", () => {
    expect([agoText(500), agoText(61_000)]).toEqual(["now", "1m 01s ago"]);
    expect([512, 1024, 1536, 81_559].map(memoryText)).toEqual(["512 MiB", "1 GiB", "1.5 GiB", "80 GiB"]);
    expect([0, 1023, 1536, 2 ** 20 * 12].map(bytesText)).toEqual(["0 B", "1023 B", "1.5 KiB", "12 MiB"]);
  });
});
