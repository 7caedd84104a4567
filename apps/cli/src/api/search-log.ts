import {
  type LogSearchAnswer,
  type LogSearchInput,
  logSearchAnswerSchema,
} from "@nexus/shared/api/log-search";
import { isErrorCode, NexusError } from "@nexus/shared/errors";
import type { Api } from "./api.ts";

export type LogSearchRequest = { job: string; query: LogSearchInput; signal: AbortSignal };

/** What the server finds, as it finds it; ends after the end. @throws NexusError when it refuses, or breaks off. */
export async function* searchLog(
  api: Api,
  { job, query, signal }: LogSearchRequest,
): AsyncGenerator<LogSearchAnswer> {
  const path = `/api/v1/jobs/${encodeURIComponent(job)}/log/search`;
  const response = await api.open(path, signal, query);
  try {
    for await (const line of linesOf(response.body ?? [])) {
      const answer = logSearchAnswerSchema.parse(JSON.parse(line));
      if (answer.type === "refused") {
        throw new NexusError(isErrorCode(answer.code) ? answer.code : "unavailable", {
          detail: answer.message,
        });
      }
      yield answer;
      if (answer.type === "end") return;
    }
  } catch (cause) {
    if (cause instanceof NexusError || signal.aborted) throw cause;
    throw brokenOff(cause);
  }
  throw brokenOff(undefined);
}

function brokenOff(cause: unknown): NexusError {
  const detail =
    "The search broke off before its end: the server restarts, or the connection was lost. Try again.";
  return new NexusError("unavailable", { detail, cause });
}

async function* linesOf(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}
