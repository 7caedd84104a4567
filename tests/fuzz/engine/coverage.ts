import { type Profiler, Session } from "node:inspector";

/** What the inputs so far have made run, of our own code. Asked after each input, it says whether that one went a new way. */
export type Coverage = { isNew(): boolean; readonly ways: number; close(): void };

const ROOT = new URL("../../../", import.meta.url).pathname;

/** Counts per block, as V8 keeps them; a block that ran a power of two times as often is a new way. Some 0.7 ms a question. */
export function startCoverage(): Coverage {
  const session = new Session();
  session.connect();
  session.post("Profiler.enable");
  session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
  const seen = new Set<string>();
  return {
    isNew() {
      const before = seen.size;
      session.post("Profiler.takePreciseCoverage", (error, answer) => {
        if (error) throw error;
        for (const script of answer.result) if (isOurs(script)) note(script, seen);
      });
      return seen.size > before;
    },
    get ways() {
      return seen.size;
    },
    close: () => session.disconnect(),
  };
}

function note({ url, functions }: Profiler.ScriptCoverage, seen: Set<string>): void {
  for (const { ranges } of functions) {
    for (const { startOffset, endOffset, count } of ranges) {
      if (count > 0) seen.add(`${url}:${startOffset}:${endOffset}:${Math.ceil(Math.log2(count))}`);
    }
  }
}

function isOurs({ url }: Profiler.ScriptCoverage): boolean {
  return url.includes(ROOT) && !url.includes("/node_modules/") && !url.includes("/tests/fuzz/");
}
