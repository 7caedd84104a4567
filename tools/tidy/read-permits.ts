import type { Finding } from "../code/finding.ts";

/** A comment `tidy-allow <rule>: <reason>`: lets one rule pass on its own line and on the next. */
export type Permit = { rule: string; line: number; reason: string };

/** A line of text that may hold a permit. In code that is a comment; elsewhere any line that opens with a comment sign. */
export type Remark = { line: number; text: string };

const REASON_WORDS_MIN = 3;

export function readPermits(remarks: Remark[]): Permit[] {
  return remarks.flatMap(({ line, text }) => {
    const [, rule, reason] = /^[\s*]*tidy-allow ([a-z-]+):?(.*)/.exec(text) ?? [];
    return rule === undefined || reason === undefined
      ? []
      : [{ rule: `tidy/${rule}`, line, reason: reason.trim() }];
  });
}

export function readRemarks(text: string): Remark[] {
  return text.split("\n").flatMap((content, index) => {
    const remark = /^\s*(?:#|--|\/\/|\/\*|<!--)(.*?)(?:\*\/|-->)?\s*$/.exec(content)?.[1];
    return remark === undefined ? [] : [{ line: index + 1, text: remark }];
  });
}

/** Takes away what is permitted; a permit without a reason, or one that permits nothing, is a finding itself. */
export function applyPermits(path: string, findings: Finding[], permits: Permit[]): Finding[] {
  const covers = (permit: Permit, finding: Finding) =>
    permit.rule === finding.rule && (finding.line === permit.line || finding.line === permit.line + 1);
  const kept = findings.filter((finding) => !permits.some((permit) => covers(permit, finding)));
  const faulty = permits.flatMap((permit): Finding[] => {
    const at = { path, line: permit.line, rule: "tidy/allow" };
    if (permit.reason.split(/\s+/).length < REASON_WORDS_MIN) {
      return [
        { ...at, message: `${permit.rule} is allowed here without a reason: write one after the colon` },
      ];
    }
    if (findings.some((finding) => covers(permit, finding))) return [];
    return [{ ...at, message: `nothing here breaks ${permit.rule} any more: take the comment away` }];
  });
  return [...kept, ...faulty];
}
