import type { LogSearchAnswer, LogSearchInput } from "@nexus/shared/api/log-search";
import type { SourceSearch } from "../../ui/log-view/log-feed.ts";
import { HttpProblem } from "./http-problem.ts";

/** Has the server search the whole log for text. Resolves with its end; rejects when it refuses or breaks off. */
export async function searchLog(
  logUrl: string,
  query: string,
  { signal, placesMax, found }: SourceSearch,
): Promise<void> {
  const input: LogSearchInput = {
    pattern: query,
    isFixed: true,
    ignoresCase: true,
    linesMax: placesMax,
    isTextWanted: false,
  };
  const response = await fetch(`${logUrl}/search`, {
    method: "POST",
    signal,
    credentials: "same-origin",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(input),
  });
  if (!response.ok || !response.body) throw await HttpProblem.of(response);
  let matches = 0;
  for await (const answers of answersIn(response.body)) {
    const places: number[] = [];
    let isEnd = false;
    for (const answer of answers) {
      if (answer.type === "refused") throw new Error(answer.message);
      if (answer.type === "line") {
        places.push(answer.offset);
        matches += 1;
      } else matches = answer.matches;
      isEnd = answer.type === "end";
    }
    found(places, matches);
    if (isEnd) return;
  }
  throw new Error("the search broke off before its end");
}

async function* answersIn(body: ReadableStream<Uint8Array>): AsyncGenerator<LogSearchAnswer[]> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      if (lines.length > 0) yield lines.map((line) => JSON.parse(line) as LogSearchAnswer);
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
