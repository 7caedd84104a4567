import type { Finding } from "../code/finding.ts";
import { parseCode } from "../code/parse-code.ts";
import { isCode, type Source } from "../code/source.ts";
import { judgeCode } from "./judge-code.ts";
import { judgeName } from "./judge-name.ts";
import { judgeNotes, judgeText } from "./judge-text.ts";
import { applyPermits, type Remark, readPermits, readRemarks } from "./read-permits.ts";

/** The style of the house as far as a machine can judge it: names, lengths, leftovers, sleeping tests, paths of one machine. */
export function checkTidy(sources: Source[]): Finding[] {
  return sources.flatMap((source) => {
    const { findings, remarks } = isCode(source.path) ? judgeParsed(source) : judgeOther(source);
    const all = [...judgeName(source), ...judgeText(source), ...findings];
    return applyPermits(source.path, all, readPermits(remarks));
  });
}

type Judged = { findings: Finding[]; remarks: Remark[] };

function judgeParsed(source: Source): Judged {
  const code = parseCode(source);
  // The import check names the syntax error.
  if ("syntaxError" in code) return { findings: [], remarks: [] };
  const remarks = code.comments.map((comment) => ({ line: code.lineAt(comment.start), text: comment.value }));
  return { findings: judgeCode(code), remarks };
}

function judgeOther(source: Source): Judged {
  if (source.path.endsWith("package-lock.json")) return { findings: [], remarks: [] };
  return { findings: judgeNotes(source), remarks: readRemarks(source.text) };
}
