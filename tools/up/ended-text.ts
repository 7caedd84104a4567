import type { Ended, Program } from "./start-program.ts";

/** One sentence for what goes on by itself; all its last words where a person has to do something. */
export function endedText(
  who: string,
  { logPath }: Program,
  { ended, againMs }: { ended: Ended; againMs: number | null },
): string {
  const how = ended.signal ?? `exit code ${ended.code}`;
  const [why = ""] = ended.lastWords.split("\n");
  const end = ` Its log is ${logPath}.`;
  if (againMs === null)
    return `${who} ended (${how}), it stays down:\n${ended.lastWords}\n${end.trimStart()}`;
  return `${who} ended (${how}), again in ${againMs / 1_000} s${why === "" ? "." : `: ${why}`}${end}`;
}
