import type { Finding } from "../code/finding.ts";
import type { Source } from "../code/source.ts";
import { type Lock, missingFrom } from "../lock/complete-lock.ts";

/** What the text of any tracked file must not hold, whatever its language. */
const FORBIDDEN: { rule: string; pattern: RegExp; message: string }[] = [
  {
    rule: "tidy/path",
    // The folders in which we happen to work; /opt alone is on everyone's machine.
    pattern: /(?<![\w.~-])\/(?:work|opt\/node\d*)\//,
    message: "a path of one machine: take it from the environment, or find it",
  },
  {
    rule: "tidy/registry",
    pattern:
      /https?:\/\/[^/\s"']*(?:registry|artifactory|verdaccio)[^/\s"']*|^\s*registry\s*=\s*https?:|_auth(?:Token)?\s*=/i,
    message: "a package registry by name: each user's own npm settings choose it",
  },
];

const LATER = /\b(?:TODO|FIXME|XXX|HACK)\b/;

export function judgeText({ path, text }: Source): Finding[] {
  const lines = text.split("\n");
  const findings = lines.flatMap((content, index) =>
    FORBIDDEN.filter(({ pattern }) => pattern.test(content)).map(({ rule, message }) => ({
      path,
      line: index + 1,
      rule,
      message,
    })),
  );
  if (!path.endsWith("package-lock.json")) return findings;
  return [...findings, ...judgeLock(path, lines), ...judgeSystems(path, text)];
}

/** For files that the parser does not read: a note for later counts wherever it stands. */
export function judgeNotes({ path, text }: Source): Finding[] {
  return text.split("\n").flatMap((content, index) => (LATER.test(content) ? [note(path, index + 1)] : []));
}

export function isNoteForLater(comment: string): boolean {
  return LATER.test(comment);
}

export function note(path: string, line: number): Finding {
  const message = "a note for later: do it now, or write an issue and take the note out";
  return { path, line, rule: "tidy/later", message };
}

/** Addresses in the lock file tie every clone to the registry of the one who wrote it. */
function judgeLock(path: string, lines: string[]): Finding[] {
  const message =
    "a download address: .npmrc says omit-lockfile-registry-resolved, write the lock file again with it";
  return lines.flatMap((content, index) =>
    /"resolved":\s*"\w+:\/\//.test(content) ? [{ path, line: index + 1, rule: "tidy/lock", message }] : [],
  );
}

/** `npm ci` refuses a lock file that leaves out the optional packages of other systems. */
function judgeSystems(path: string, text: string): Finding[] {
  const missing = Object.keys(missingFrom(JSON.parse(text) as Lock));
  if (missing.length === 0) return [];
  const message = `${missing.length} optional packages of other systems are not named (${missing[0]}, …): run \`node tools/complete-lock.ts\``;
  return [{ path, line: 1, rule: "tidy/lock", message }];
}
