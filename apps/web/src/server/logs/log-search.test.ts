import { expect, test } from "vitest";
import type { SearchedLog } from "../services/ports.ts";
import { createLogSearch } from "./log-search.ts";

const QUERY = {
  pattern: "a",
  isFixed: false,
  ignoresCase: false,
  contextLines: 0,
  linesMax: 1e9,
  isTextWanted: true,
};

/** Each is another user, unless one is named. */
function reader(signal = new AbortController().signal, user = String(Math.random())) {
  return { user, signal };
}

/** Lines `0`, `1`, … of 16 bytes. */
function numbered(size: number, onRead: (offset: number) => void = () => undefined): SearchedLog {
  return {
    size,
    start: async () => ({ offset: 0, line: 0 }),
    async read(offset, limit) {
      onRead(offset);
      const bytes = Buffer.alloc(Math.min(limit, size - offset));
      for (let at = 0; at < bytes.length; at += 16) {
        bytes.write(`${String((offset + at) / 16).padEnd(15)}\n`, at, "latin1");
      }
      return bytes;
    },
  };
}

test("[L18] a log of many pieces is searched to its end, with line numbers and places", async () => {
  const size = 5 * 1024 * 1024;
  const found: [number, number][] = [];
  let last = { searchedTo: 0, matches: 0 };
  const search = createLogSearch().search(numbered(size), { ...QUERY, pattern: "99999" }, reader());
  for await (const { lines, ...state } of search) {
    found.push(...lines.map(({ line, offset }): [number, number] => [line, offset]));
    last = state;
  }
  expect(found).toEqual([99_999, 199_999, 299_999].map((n) => [n + 1, n * 16]));
  expect(last).toEqual({ searchedTo: size, matches: 3 });
});

test("[L19] an expression that would take for ever is given up with what to do, and the next search works", async () => {
  const { search } = createLogSearch({ searchesMax: 1, pieceMsMax: 300 });
  const endless = { ...QUERY, pattern: "(a+)+$" };
  const log = { ...numbered(64), read: async () => Buffer.from(`${"a".repeat(60)}b\n..`) };
  const given = (async () => {
    for await (const piece of search(log, endless, reader())) expect(piece.lines).toEqual([]);
  })();
  await expect(given).rejects.toMatchObject({
    code: "bad_request",
    message: expect.stringContaining("takes too long"),
  });
  let matches = 0;
  for await (const piece of search(numbered(1600), { ...QUERY, pattern: "42" }, reader()))
    matches = piece.matches;
  expect(matches).toBe(1);
});

test("[L19] only so many search at once: others wait their turn, too many are told to come back", async () => {
  const { search } = createLogSearch({ searchesMax: 1, waitingMax: 1 });
  const leave = new AbortController();
  const first = search(numbered(16), QUERY, reader());
  await first.next();
  const second = search(numbered(16), QUERY, reader(leave.signal)).next();
  await expect(search(numbered(16), QUERY, reader(leave.signal)).next()).rejects.toMatchObject({
    code: "unavailable",
  });
  // Who leaves the line makes room in it.
  leave.abort(new Error("gone"));
  await expect(second).rejects.toThrow("gone");
  const third = search(numbered(16), QUERY, reader()).next();
  await first.return(undefined);
  expect((await third).value).toMatchObject({ searchedTo: 16 });
});

test("[L19] nothing is read ahead of whoever takes the lines, and who leaves ends the search", async () => {
  const reads: number[] = [];
  const leave = new AbortController();
  const pieces = createLogSearch().search(
    numbered(64 * 1024 * 1024, (offset) => reads.push(offset)),
    QUERY,
    reader(leave.signal),
  );
  await pieces.next();
  expect(reads).toHaveLength(2);
  leave.abort(new Error("gone"));
  await expect(pieces.next()).rejects.toThrow("gone");
  expect(reads.length).toBeLessThanOrEqual(3);
});

test("[L19] a log of blank lines, each of which matches, is searched to its end a portion at a time", async () => {
  const size = 1024 * 1024;
  const blank: SearchedLog = {
    ...numbered(size),
    read: async (offset, limit) => Buffer.alloc(Math.min(limit, size - offset), "\n"),
  };
  let told = 0;
  let most = 0;
  let last = { searchedTo: 0, matches: 0 };
  for await (const { lines, ...state } of createLogSearch().search(
    blank,
    { ...QUERY, pattern: "^" },
    reader(),
  )) {
    told += lines.length;
    most = Math.max(most, lines.length);
    last = state;
  }
  expect({ told, ...last }).toEqual({ told: size, searchedTo: size, matches: size });
  expect(most).toBeLessThan(10_000);
});

test("[L19] a search whose thread runs out of memory is refused with what to do, and nothing else ends", async () => {
  const { search } = createLogSearch({ searchesMax: 1, heapMibMax: 8 });
  const lines = {
    ...numbered(16 * 1024 * 1024),
    read: async (_: number, limit: number) => Buffer.alloc(limit, "\r\n"),
  };
  const given = (async () => {
    for await (const _ of search(lines, { ...QUERY, pattern: "^" }, reader()));
  })();
  await expect(given).rejects.toMatchObject({
    code: "bad_request",
    message: expect.stringContaining("memory"),
  });
  // Its place is free again.
  await expect(search(numbered(16), QUERY, reader()).next()).rejects.toThrow("memory");
});

test("[L19] one user has one search at a time, and others do not wait behind theirs", async () => {
  const { search } = createLogSearch({ searchesMax: 2 });
  const ann = () => reader(undefined, "ann");
  const first = search(numbered(16), QUERY, ann());
  await first.next();
  let isSecondThere = false;
  const second = search(numbered(16), QUERY, ann());
  const waited = second.next().then((piece) => {
    isSecondThere = true;
    return piece;
  });
  const other = search(numbered(16), QUERY, reader(undefined, "bob"));
  await other.next();
  expect(isSecondThere).toBe(false);
  await other.return(undefined);
  expect(isSecondThere).toBe(false);
  await first.return(undefined);
  expect((await waited).value).toMatchObject({ searchedTo: 16 });
  await second.return(undefined);
});

test("[L19] a search that takes too long in all is given up, also while its place is looked for or its reader is slow", async () => {
  const { search } = createLogSearch({ searchesMax: 1, searchMsMax: 100 });
  const slow: SearchedLog = {
    ...numbered(16),
    start: (signal) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
  };
  await expect(search(slow, QUERY, reader()).next()).rejects.toMatchObject({
    code: "bad_request",
    message: expect.stringContaining("given up after"),
  });
  await expect(search(slow, QUERY, reader()).next()).rejects.toThrow("given up after");
});
