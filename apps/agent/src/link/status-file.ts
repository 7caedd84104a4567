/** What a running agent tells `nexus-agent status`: `<home>/status.json`, replaced at each change. Never a secret. */
import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod/mini";
import { readPrivate } from "./durable-file.ts";

const statusSchema = z.object({
  pid: z.int(),
  state: z.enum(["connecting", "connected", "waiting", "stopped"]),
  /** Epoch ms of this machine. */
  sinceMs: z.number(),
  /** Of the next attempt to connect. */
  retryAtMs: z.nullable(z.number()),
  problem: z.nullable(z.object({ code: z.string(), message: z.string() })),
  generation: z.int(),
  gpus: z.int(),
  gpuDriver: z.string(),
  gpuProblem: z.nullable(z.string()),
  attempts: z.array(z.object({ attempt: z.string(), state: z.string() })),
});
export type AgentStatus = z.infer<typeof statusSchema>;

const statusPath = (home: string) => join(home, "status.json");

export async function readStatus(home: string): Promise<AgentStatus | null> {
  const text = await readPrivate(statusPath(home));
  if (text === null) return null;
  try {
    const parsed = statusSchema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

export type StatusFile = {
  /** Writes soon what `read` then gives; of several changes at once the last. */
  update(read: () => AgentStatus): void;
  close(): Promise<void>;
};

const WRITE_EVERY_MS = 250;

export function openStatusFile(home: string): StatusFile {
  const path = statusPath(home);
  let next: (() => AgentStatus) | null = null;
  let timer: NodeJS.Timeout | null = null;
  let writing: Promise<void> = Promise.resolve();

  async function write(): Promise<void> {
    timer = null;
    if (next === null) return;
    const text = `${JSON.stringify(next(), null, 2)}\n`;
    next = null;
    try {
      await writeFile(`${path}.new`, text, { mode: 0o600 });
      await rename(`${path}.new`, path);
    } catch {
      // On a full disk a status that is old is no reason to stop working; the server hears of the disk.
    }
  }

  return {
    update(read) {
      next = read;
      timer ??= setTimeout(() => {
        writing = writing.then(write);
      }, WRITE_EVERY_MS);
    },
    async close() {
      if (timer !== null) clearTimeout(timer);
      next = null;
      await writing;
      await rm(path, { force: true });
    },
  };
}
