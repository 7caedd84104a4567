/** `nexus logs --grep`: the search runs on the server; only the lines found come over. Printed as `grep -n` does. */
import { once } from "node:events";
import { CONTEXT_LINES_MAX, type LogLineFound, type LogSearchInput } from "@nexus/shared/api/log-search";
import { NexusError } from "@nexus/shared/errors";
import type { Api } from "../api/api.ts";
import { searchLog } from "../api/search-log.ts";
import { type Cli, note, print } from "../cli.ts";
import type { Paint } from "../terminal/paint.ts";
import { parseCount, within } from "../terminal/parse-amounts.ts";
import { plain, plainJson } from "../terminal/plain.ts";

export type GrepOptions = {
  grep?: string;
  ignoreCase?: boolean;
  fixedStrings?: boolean;
  context?: string;
  count?: boolean;
};

/** As grep says it. */
const EXIT_NONE_FOUND = 1;

/** @returns null when there is nothing to search for. */
export function toSearch(options: GrepOptions & { follow?: boolean; raw?: boolean }): LogSearchInput | null {
  const { grep: pattern, ignoreCase, fixedStrings, context, count } = options;
  if (pattern === undefined) {
    const stray = Object.entries({ "-i": ignoreCase, "-F": fixedStrings, "-C": context, "-c": count });
    const [name] = stray.find(([, value]) => value !== undefined) ?? [];
    if (name === undefined) return null;
    throw new NexusError("bad_request", { detail: `${name} belongs to a search: add --grep <pattern>.` });
  }
  if (options.follow || options.raw) {
    const detail = `--grep searches what is written so far. To filter a log as it grows: nexus logs -f | grep`;
    throw new NexusError("bad_request", { detail });
  }
  if (pattern === "")
    throw new NexusError("bad_request", { detail: "--grep: an empty pattern is in every line." });
  return {
    pattern,
    isFixed: fixedStrings === true,
    ignoresCase: ignoreCase === true,
    contextLines: within(parseCount(context ?? "0", "--context"), "--context", {
      min: 0,
      max: CONTEXT_LINES_MAX,
    }),
    ...(count ? { linesMax: 0 } : {}),
  };
}

export async function grepLog(
  cli: Cli,
  {
    api,
    job,
    query,
    isJson,
    signal,
  }: { api: Api; job: string; query: LogSearchInput; isJson: boolean; signal: AbortSignal },
): Promise<void> {
  const isCounted = query.linesMax === 0;
  let last = 0;
  for await (const answer of searchLog(api, { job, query, signal })) {
    if (answer.type === "line") {
      const gap = !isJson && query.contextLines && last > 0 && answer.line > last + 1 ? ["--"] : [];
      last = answer.line;
      const line = isJson ? plainJson(answer) : lineText(answer, cli.paint);
      if (!cli.stdout.write(`${[...gap, line].join("\n")}\n`)) await once(cli.stdout, "drain");
    } else if (answer.type === "progress") {
      if (isJson) print(cli, plainJson(answer));
    } else if (answer.type === "end") {
      if (isJson) print(cli, plainJson(answer));
      else if (isCounted) print(cli, String(answer.matches));
      if (answer.matches > 0) continue;
      cli.exitCode = EXIT_NONE_FOUND;
      if (cli.stderr.isTTY) note(cli, cli.paintErr("dim", "no line matches"));
    }
  }
}

function lineText({ line, text = "", at, isCut, isContext }: LogLineFound, paint: Paint): string {
  const [from, to] = at ?? [0, 0];
  const shown =
    plain(text.slice(0, from)) + paint("red", plain(text.slice(from, to))) + plain(text.slice(to));
  return `${paint("green", String(line))}${paint("cyan", isContext ? "-" : ":")}${shown}${isCut ? "…" : ""}`;
}
