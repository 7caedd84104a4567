/** Who jobs run as, and the folder that they find as HOME and begin in. Jobs do not need the user to have a home of its own. */
import { constants } from "node:fs";
import { access, mkdir, stat } from "node:fs/promises";
import { userInfo } from "node:os";
import { join } from "node:path";
import type { CliContext } from "./cli-context.ts";
import type { LoginUser } from "./exec/job-environment.ts";

export type JobUser = LoginUser & {
  /** Why `homedir` is a folder in the agent's home and not the user's; null when it is the user's. */
  homeProblem: string | null;
};

/** Writes nothing: `run` makes the folder with `makeJobHome`. */
export async function jobUser(login: LoginUser, agentHome: string): Promise<JobUser> {
  const problem = await problemOfHome(login.homedir);
  if (problem === null) return { ...login, homeProblem: null };
  return { ...login, homedir: join(agentHome, "job-home"), homeProblem: problem };
}

export async function makeJobHome({ homedir, homeProblem }: JobUser): Promise<void> {
  if (homeProblem !== null) await mkdir(homedir, { recursive: true, mode: 0o700 });
}

/** A user id that has no account, as containers use it, goes by its number. */
export function loginUser(env: CliContext["env"]): LoginUser {
  try {
    const { username, homedir, shell } = userInfo();
    return { username, homedir, shell };
  } catch {
    return { username: String(process.getuid?.() ?? "unknown"), homedir: env.HOME ?? "", shell: null };
  }
}

/** A part of a sentence that begins with the folder; null when jobs can begin there. */
export async function problemOfHome(homedir: string): Promise<string | null> {
  if (homedir === "") return "this user has no account and no HOME";
  try {
    if (!(await stat(homedir)).isDirectory()) return `${homedir} is not a folder`;
    await access(homedir, constants.X_OK);
    return null;
  } catch (error) {
    const isDenied = error instanceof Error && "code" in error && error.code === "EACCES";
    return isDenied ? `${homedir} may not be entered by this user` : `${homedir} does not exist`;
  }
}
