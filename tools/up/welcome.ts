import { userInfo } from "node:os";
import type { UpFile } from "@nexus/shared/up-file";
import type { Settings } from "./settings.ts";

/** What a newcomer reads first: where the dashboard is, how to get in, what to try. */
export function welcome({
  settings,
  up,
  tookMs,
}: {
  settings: Settings;
  up: UpFile;
  tookMs: number;
}): string {
  const isRoot = userInfo().uid === 0;
  const nexus = settings.isDefaultHome ? "npx nexus" : `NEXUS_HOME=${quote(settings.home)} npx nexus`;
  return `
Nexus is up (${(tookMs / 1_000).toFixed(1)} s).

${signInLines(up.url, up.signInLink)}

Try next, in a second shell in this folder:

  ${nexus} run -- sh -c 'for i in 1 2 3; do echo $i; sleep 1; done'
  ${nexus} status
  ${nexus} add -- hostname && ${nexus} queue

Data and logs are in ${settings.home}. Ctrl-C stops Nexus; running jobs go on.
Jobs on this machine run as ${userInfo().username}${isRoot ? ", who can read everything here: share it only with people you trust, or run Nexus as another user" : " and can read what that user can, Nexus's own files too"}.
`;
}

export function signInLines(url: string, link: string): string {
  return `  Dashboard   ${url}
  Sign in     ${link}
              (works once)`;
}

function quote(text: string): string {
  return /^[\w/.,:@+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
