import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LogWindow } from "./log-window.ts";
import { type LogRow, SEGMENT_BYTES } from "./row-scanner.ts";

const utf8 = new TextEncoder();

function windowOf(chunks: Uint8Array[], bytesMax?: number): LogWindow {
  const window = new LogWindow(0, bytesMax);
  for (const chunk of chunks) window.append(window.end, chunk);
  return window;
}

function rowsOf(window: LogWindow): LogRow[] {
  return Array.from({ length: window.rowCount }, (_, index) => window.row(index)).filter(
    (row) => row !== null,
  );
}

function drawn(window: LogWindow): unknown[] {
  return rowsOf(window).map((row) =>
    row.kind === "gap" ? { gap: [row.start, row.end] } : { row, spans: window.spans(row) },
  );
}

function texts(window: LogWindow): string[] {
  return rowsOf(window).map((row) => (row.kind === "gap" ? "<gap>" : window.text(row)));
}

/** Cuts `bytes` at the given fractions. */
function cut(bytes: Uint8Array, at: number[]): Uint8Array[] {
  const points = [
    0,
    ...at.map((part) => Math.floor(part * bytes.length)).sort((a, b) => a - b),
    bytes.length,
  ];
  return points.slice(1).map((end, index) => bytes.subarray(points[index], end));
}

/** Bytes that look like logs of every unpleasant kind: escape sequences, returns, broken UTF-8, long runs. */
const nastyBytes = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 12 }),
      fc
        .constantFrom(
          "\n",
          "\r",
          "\r\n",
          "\x1b[31m",
          "\x1b[0m",
          "\x1b[38;5;208m",
          "\x1b[48:2::1:2:3m",
          "\x1b[K",
          "\x1b[2K",
          "\x1b]0;title\x07",
          "\x1b]52;c;aGk=\x1b\\",
          "\x1b[",
          "\x1b",
          "é😀界",
          "\t",
          "step 10%",
          "x".repeat(1500),
          "😀".repeat(1100),
        )
        .map((text) => utf8.encode(text)),
    ),
    { maxLength: 40 },
  )
  .map((parts) => Uint8Array.from(parts.flatMap((part) => Array.from(part))));
const fractions = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 });

describe("rows do not depend on how the bytes arrived", () => {
  it("random bytes in random chunks give the rows of one chunk", () => {
    fc.assert(
      fc.property(nastyBytes, fractions, (bytes, at) => {
        expect(drawn(windowOf(cut(bytes, at)))).toEqual(drawn(windowOf([bytes])));
      }),
      { numRuns: 300 },
    );
  });

  it("a tail that is filled up backwards ends as the whole log read from its start", () => {
    fc.assert(
      fc.property(nastyBytes, fractions, (bytes, at) => {
        const pieces = cut(bytes, at);
        const window = new LogWindow(bytes.length);
        let start = bytes.length;
        for (const piece of pieces.toReversed()) {
          start -= piece.length;
          window.prepend(start, [{ offset: start, bytes: piece }]);
        }
        expect(drawn(window)).toEqual(drawn(windowOf([bytes])));
        const whole = windowOf([bytes]);
        expect(rowsOf(window).map((row) => window.lineNumber(row))).toEqual(
          rowsOf(whole).map((row) => whole.lineNumber(row)),
        );
      }),
    );
  });

  it("no byte is lost: rows and what was overwritten in them cover the whole range in order", () => {
    fc.assert(
      fc.property(nastyBytes, (bytes) => {
        const window = windowOf([bytes]);
        let next = 0;
        for (const row of rowsOf(window)) {
          expect(row.start).toBe(next);
          expect(row.end).toBeGreaterThanOrEqual(row.start);
          next = bytes[row.end] === 0x0a && row.end < bytes.length ? row.end + 1 : row.end;
        }
        expect(next).toBe(bytes.length);
      }),
    );
  });

  it("plain text is drawn as a decoder would read it, line by line", () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: "grapheme", maxLength: 30 }), { minLength: 1, maxLength: 20 }),
        (lines) => {
          const clean = lines.map((line) => line.replace(/[\p{Cc}]/gu, ""));
          const window = windowOf([utf8.encode(`${clean.join("\n")}\n`)]);
          expect(texts(window)).toEqual(clean);
        },
      ),
    );
  });
});

describe("what a row shows", () => {
  it("a progress bar is one row with its last state", () => {
    expect(texts(windowOf([utf8.encode("10%\r 20%\r\x1b[K100%\ndone\r\nlast\r")]))).toEqual([
      "100%",
      "done",
      "last",
    ]);
  });

  it("an erased line is empty", () => {
    expect(texts(windowOf([utf8.encode("working\r\x1b[K\nspin\x1b[2Kok\n")]))).toEqual(["", "ok"]);
  });

  it("titles, clipboard writes and links leave nothing behind", () => {
    const text = "a\x1b]0;pwned\x07b\x1b]52;c;aGVsbG8=\x1b\\c\x1b]8;;http://x\x1b\\d\x1bPq123\x1b\\e";
    expect(texts(windowOf([utf8.encode(text)]))).toEqual(["abcde"]);
  });

  it("an unended sequence does not swallow the next line", () => {
    expect(texts(windowOf([utf8.encode("\x1b]0;never ends\nnext\n\x1b[31\nlast")]))).toEqual([
      "",
      "next",
      "",
      "last",
    ]);
  });

  it("a colour goes on over lines until it is reset", () => {
    const window = windowOf([utf8.encode("\x1b[31mred\nstill\x1b[0m plain\n")]);
    const second = window.row(1);
    expect(second?.kind === "text" && window.spans(second).map((span) => [span.text, span.style.fg])).toEqual(
      [
        ["still", 1],
        [" plain", -1],
      ],
    );
  });

  it("invalid UTF-8 is shown as replacement characters", () => {
    expect(texts(windowOf([new Uint8Array([0x61, 0xff, 0xc3, 0x0a, 0xe2, 0x82])]))).toEqual(["a��", "�"]);
  });

  it("one endless line becomes many rows of one line number, cut between characters", () => {
    const window = windowOf([utf8.encode(`${"😀".repeat(3000)}\nnext\n`)]);
    const rows = rowsOf(window).filter((row) => row.kind === "text");
    expect(rows.slice(0, -1).every((row) => row.end - row.shown <= SEGMENT_BYTES + 3)).toBe(true);
    expect(rows.map((row) => row.continued)).toEqual([false, true, true, false]);
    expect(rows.map((row) => window.lineNumber(row))).toEqual([1, 1, 1, 2]);
    expect(
      rows
        .slice(0, -1)
        .map((row) => window.text(row))
        .join(""),
    ).toBe("😀".repeat(3000));
  });
});

describe("gaps and bounds", () => {
  it("a missing range is a row of its own, and numbers after it are not claimed", () => {
    const window = windowOf([utf8.encode("one\ntw")]);
    window.append(100, utf8.encode("rest\nlast\n"));
    expect(texts(window)).toEqual(["one", "tw", "<gap>", "rest", "last"]);
    expect(rowsOf(window).map((row) => window.lineNumber(row))).toEqual([1, 2, null, null, null]);
  });

  it("bytes that are already held are not shown twice", () => {
    const window = windowOf([utf8.encode("abc\n")]);
    expect(window.append(2, utf8.encode("c\ndef\n"))).toBe(4);
    expect(texts(window)).toEqual(["abc", "def"]);
  });

  it("a window stays within its bound and keeps the line numbers of the log", () => {
    const lines = Array.from({ length: 4000 }, (_, index) => `line ${index + 1} ${"·".repeat(60)}`);
    const window = new LogWindow(0, 200_000);
    for (const line of lines) {
      window.append(window.end, utf8.encode(`${line}\n`));
      window.trim("front");
    }
    expect(window.end - window.start).toBeLessThanOrEqual(200_000);
    const first = window.row(0);
    expect(first?.kind === "text" && window.text(first)).toBe(
      lines[(window.lineNumber(first as LogRow) ?? 0) - 1],
    );
    expect(window.lineNumber(window.row(window.rowCount - 1) as LogRow)).toBe(4000);
  });

  it("numbers survive going back up after the front was dropped", () => {
    const bytes = utf8.encode(Array.from({ length: 3000 }, (_, index) => `line ${index + 1}\n`).join(""));
    const window = new LogWindow(0, 16_000);
    for (let at = 0; at < bytes.length; at += 1000) {
      window.append(at, bytes.subarray(at, at + 1000));
      window.trim("front");
    }
    const start = window.start;
    window.prepend(start - 4000, [{ offset: start - 4000, bytes: bytes.subarray(start - 4000, start) }]);
    window.trim("back");
    const row = window.row(5);
    expect(row?.kind === "text" && window.text(row)).toBe(`line ${window.lineNumber(row as LogRow)}`);
  });

  it("finds the row of an offset", () => {
    const window = windowOf([utf8.encode("aa\nbbbb\ncc\n")]);
    expect([0, 2, 3, 6, 8, 99].map((offset) => window.indexOf(offset))).toEqual([0, 0, 1, 1, 2, 2]);
  });
});
