/** The environment of jobs: nothing of the agent's own, so that a job behaves the same however its agent was started. */
export type LoginUser = { username: string; homedir: string; shell: string | null };

const PATH_DEFAULT = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * What every job starts from, and the whole environment of the launcher.
 * @param agentEnv read for PATH, LANG and TMPDIR only.
 */
export function baseEnvironment(
  agentEnv: Readonly<Record<string, string | undefined>>,
  user: LoginUser,
): Record<string, string> {
  return {
    PATH: jobPath(agentEnv.PATH),
    HOME: user.homedir,
    USER: user.username,
    LOGNAME: user.username,
    SHELL: user.shell ?? "/bin/sh",
    LANG: agentEnv.LANG || "C.UTF-8",
    TERM: "dumb",
    TMPDIR: agentEnv.TMPDIR || "/tmp",
    // Without it a Python job's output arrives when it ends.
    PYTHONUNBUFFERED: "1",
  };
}

/** Starters like npx put folders of their own in front; a job must not find other programs through them. */
function jobPath(agentPath: string | undefined): string {
  const kept = (agentPath ?? "")
    .split(":")
    .filter((dir) => dir.startsWith("/") && !dir.includes("/node_modules/"));
  return kept.length > 0 ? [...new Set(kept)].join(":") : PATH_DEFAULT;
}

export type JobFacts = { job: string; attempt: string; env: Record<string, string>; gpus: string[] };

/** What is added for one job. Its own variables come first: it cannot widen its GPUs or carry another attempt's marker. */
export function jobEnvironment({ job, attempt, env, gpus }: JobFacts): Record<string, string> {
  return {
    ...env,
    CUDA_VISIBLE_DEVICES: gpus.join(","),
    NVIDIA_VISIBLE_DEVICES: gpus.length > 0 ? gpus.join(",") : "void",
    NEXUS_JOB_ID: job,
    [ATTEMPT_MARKER]: attempt,
  };
}

/** Names, with commas, of the job's own variables whose values are hidden in its log. */
const MASK_NAMES = "NEXUS_MASK";

/** The values that its log must not show. */
export function maskedValues(env: Record<string, string>): string[] {
  const names = (env[MASK_NAMES] ?? "").split(",").map((name) => name.trim());
  return names.flatMap((name) => (Object.hasOwn(env, name) ? [env[name] ?? ""] : []));
}

/** Inherited by everything that a job starts; how its processes are found again. */
export const ATTEMPT_MARKER = "NEXUS_ATTEMPT_ID";
