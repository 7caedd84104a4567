import { compareFindings, type Finding, formatFinding } from "./finding.ts";

/** The end of every check's command: prints what was found and answers the exit code. */
export function report(checked: string, findings: Finding[]): number {
  for (const finding of [...findings].sort(compareFindings)) {
    process.stdout.write(`${formatFinding(finding)}\n`);
  }
  process.stdout.write(
    `${checked}, ${findings.length === 0 ? "nothing to mend" : `${findings.length} to mend`}\n`,
  );
  return findings.length === 0 ? 0 : 1;
}
