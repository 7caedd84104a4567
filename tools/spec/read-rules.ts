import type { Finding } from "../code/finding.ts";
import type { Source } from "../code/source.ts";

/** One numbered behaviour of `docs/spec/*.md`: a line `- **P3** sentence.` */
export type Rule = { id: string; path: string; line: number };

/** The rules of one page, and its lines that were meant as rules but would be overlooked. */
export function readRules({ path, text }: Source): { rules: Rule[]; findings: Finding[] } {
  const rules: Rule[] = [];
  const findings: Finding[] = [];
  for (const [index, content] of text.split("\n").entries()) {
    const line = index + 1;
    const id = /^- \*\*([A-Z]\d+)\*\* \S.*[^\s]$/.exec(content)?.[1];
    if (id !== undefined) rules.push({ id, path, line });
    else if (/^\s*[-*+]\s+(\*\*|__)?[A-Z]\d+\b/.test(content)) {
      const message = "meant as a rule, but not written as `- **P3** sentence.`";
      findings.push({ path, line, rule: "spec/form", message });
    }
  }
  return { rules, findings };
}
