import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LogStore } from "../../services/ports.ts";
import { createSegmentLogStore, type SegmentLogStoreOptions } from "../segment-log-store.ts";

export type TestStore = {
  root: string;
  problems: string[];
  open(options?: Omit<SegmentLogStoreOptions, "root">): LogStore;
  /** Closes what was opened and removes the folder. */
  clean(): Promise<void>;
};

/** A folder of its own, and stores over it. */
export function createTestStore(): TestStore {
  const root = mkdtempSync(join(tmpdir(), "nexus-logs-"));
  const stores: LogStore[] = [];
  const problems: string[] = [];
  return {
    root,
    problems,
    open(options) {
      const store = createSegmentLogStore({
        root,
        onProblem: (message) => problems.push(message),
        ...options,
      });
      stores.push(store);
      return store;
    },
    async clean() {
      for (const store of stores) await store.close();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** Bytes of which none is like its neighbours, so that a shifted or doubled piece is seen. */
export function pattern(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(Math.ceil(length / 4) * 4);
  for (let at = 0; at < bytes.length; at += 4) bytes.writeUInt32LE((at ^ (seed * 0x9e3779b1)) >>> 0, at);
  return bytes.subarray(0, length);
}
