import { NexusError } from "@nexus/shared/errors";

const ASSIGNMENT = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=[ \t]*(.*)$/s;

/**
 * `NAME=value` lines as shells and dotenv files have them: comments, `export`, quotes that may span lines, `\n` within double ones.
 * @throws NexusError with file and line for whatever is none of that: a variable that silently stays away costs a run.
 */
export function parseEnvFile(text: string, path: string): Record<string, string> {
  const env: Record<string, string> = {};
  const lines = text.replace(/^\ufeff/, "").split(/\r?\n/);
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? "";
    if (/^\s*(#|$)/.test(line)) continue;
    const number = at + 1;
    const refuse = (why: string) =>
      new NexusError("bad_request", { detail: `--env-file: ${path}, line ${number}: ${why}` });
    const [, name, rest = ""] = ASSIGNMENT.exec(line) ?? [];
    if (name === undefined) throw refuse("this is not of the form NAME=value.");
    const quote = /^["'`]/.exec(rest)?.[0];
    if (quote === undefined) {
      env[name] = rest.replace(/(^|\s)#.*$/, "").trim();
      continue;
    }
    let value = rest.slice(1);
    while (!value.includes(quote) && at + 1 < lines.length) value += `\n${lines[++at]}`;
    const end = value.indexOf(quote);
    if (end < 0) throw refuse(`the quote ${quote} that begins here is never closed.`);
    if (!/^\s*(#.*)?$/s.test(value.slice(end + 1))) throw refuse("something follows the closing quote.");
    const inner = value.slice(0, end);
    env[name] = quote === '"' ? inner.replaceAll("\\n", "\n") : inner;
  }
  return env;
}
