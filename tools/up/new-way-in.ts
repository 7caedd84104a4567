import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { upFileSchema } from "@nexus/shared/up-file";
import { signInLines } from "./welcome.ts";

export type NewWayInOptions = {
  home: string;
  port: number;
  /** The control plane's script, which makes links beside the one that runs. */
  script: string;
};

/**
 * What a second `up` can do for whoever closed the first one's tab: the address and a new one-time link, or why there is none.
 * Nothing for another user than the one who started it: this one has no business there.
 */
export async function newWayIn({ home, port, script }: NewWayInOptions): Promise<string> {
  const path = join(home, "run", "up.json");
  const owner = statSync(path, { throwIfNoEntry: false })?.uid;
  if (owner === undefined) return "It still starts; its own terminal shows the sign-in link.";
  if (owner !== process.getuid?.()) return "";
  const { url } = upFileSchema.parse(JSON.parse(readFileSync(path, "utf8")));
  if (!existsSync(script))
    return `Dashboard: ${url}. For a new sign-in link run this where it was started from.`;
  const made = await makeLink(script, { NEXUS_HOME: home, NEXUS_PORT: String(port), NEXUS_PUBLIC_URL: url });
  return "link" in made ? `\n${signInLines(url, made.link)}\n` : `There is no new sign-in link: ${made.why}`;
}

/** The link goes through a pipe: it is a secret until it is used. */
async function makeLink(
  script: string,
  settings: Record<string, string>,
): Promise<{ link: string } | { why: string }> {
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", script, "sign-in-link"], {
    env: { ...process.env, NODE_ENV: "production", ...settings },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    child[name].on("data", (bytes: Buffer) => {
      said[name] += bytes.toString();
    });
  const [code] = await once(child, "close");
  return code === 0 ? { link: said.stdout.trim() } : { why: said.stderr.trim() };
}
