import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type PolicyFile, readPolicy } from "../core/node-policy.ts";

/** Where jobs, which run as the agent's user, cannot write. */
const SYSTEM_POLICY = "/etc/nexus-agent/policy.json";
const POLICY_NAME = "policy.json";

/** Those that exist; each of them has to allow what is done. Read anew each time, so that a change counts at once. */
export async function readPolicies(home: string): Promise<PolicyFile[]> {
  const files = await Promise.all([SYSTEM_POLICY, join(home, POLICY_NAME)].map(readOne));
  return files.filter((file) => file !== null);
}

async function readOne(path: string): Promise<PolicyFile | null> {
  try {
    return readPolicy(path, await readFile(path, "utf8"));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return null;
    return { path, problem: `it cannot be read (${code ?? String(error)})` };
  }
}
