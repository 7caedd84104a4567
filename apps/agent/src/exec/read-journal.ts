import { readFile } from "node:fs/promises";
import { NexusError } from "@nexus/shared/errors";
import * as z from "zod/mini";
import { type AttemptsState, applyEvent, type DurableEvent, noAttempts } from "../core/attempts.ts";

const count = z.int().check(z.nonnegative());
const eventSchema = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("accepted"),
    attempt: z.string(),
    job: z.string(),
    fence: count,
    bootId: z.string(),
    timeoutMs: z.nullable(count),
    graceMs: count,
    order: z.string(),
    holdsGpus: z.boolean(),
    gpus: z._default(z.array(z.string()), []),
    cgroup: z.nullable(z.string()),
    /** Absent in what an earlier release wrote: then a file decides. */
    masked: z._default(z.boolean(), false),
  }),
  z.object({
    type: z.literal("stop"),
    attempt: z.string(),
    reason: z.enum(["cancelled", "timed_out"]),
    graceMs: count,
  }),
  z.object({ type: z.literal("gap"), attempt: z.string(), offset: count }),
  z.object({ type: z.literal("forgotten"), attempt: z.string() }),
  z.object({ type: z.literal("fence"), job: z.string(), fence: count }),
]);

/**
 * A torn tail is what a crash leaves of events that were never acted on, and is dropped. A damaged line with whole lines
 * behind it is no crash: it is refused, since ignoring it could start a job twice.
 */
export async function readJournal(path: string): Promise<AttemptsState> {
  const lines = (await readText(path)).split("\n");
  const state = noAttempts();
  let damagedAt: number | null = null;
  // What stands behind the last newline is torn by definition.
  for (const [index, line] of lines.slice(0, -1).entries()) {
    const event = parseEvent(line);
    if (event === null) damagedAt ??= index + 1;
    else if (damagedAt === null) applyEvent(state, event);
    else throw damaged(path, damagedAt);
  }
  return state;
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return "";
    throw error;
  }
}

function parseEvent(line: string): DurableEvent | null {
  try {
    const parsed = eventSchema.safeParse(JSON.parse(line));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

function damaged(path: string, line: number): NexusError {
  return new NexusError("internal", {
    detail: `Line ${line} of ${path} is damaged and whole lines follow it. Nexus does not guess which jobs ran: restore the file, or move it away when no job of this node matters any more.`,
  });
}
