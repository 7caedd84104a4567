/** What a check has to say about one line: where, which rule, what is wrong and what to do instead. */
export type Finding = { path: string; line: number; rule: string; message: string };

export function formatFinding({ path, line, rule, message }: Finding): string {
  return `${path}:${line}: ${message} (${rule})`;
}

export function compareFindings(a: Finding, b: Finding): number {
  return a.path === b.path ? a.line - b.line : a.path < b.path ? -1 : 1;
}
