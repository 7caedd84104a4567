import { spawnSync } from "node:child_process";

const PROGRAM = "ssh-keygen";

/** Runs the real ssh-keygen. `-F` exits with 1 where it finds nothing, which is an answer. */
export function sshKeygen(...args: string[]): string {
  const { stdout, stderr, status, error } = spawnSync(PROGRAM, args, { encoding: "utf8" });
  if (error !== undefined) throw error;
  if (status !== 0 && !args.includes("-F")) throw new Error(`ssh-keygen ${args.join(" ")}: ${stderr}`);
  return stdout;
}
