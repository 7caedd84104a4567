import { type SpawnOptions, spawn } from "node:child_process";
import type { ServerUser } from "./server-user.ts";

export type RunResult = { code: number | null; output: string };

/** Runs one of Postgres' programs to its end and returns all it said. */
export async function runAs(
  user: ServerUser,
  [command = "", ...args]: string[],
  options: { cwd: string; input?: string },
): Promise<RunResult> {
  const { promise, resolve } = Promise.withResolvers<RunResult>();
  const child = spawn(command, args, { ...spawnAs(user, options.cwd), stdio: ["pipe", "pipe", "pipe"] });
  let output = "";
  const collect = (bytes: Buffer) => {
    output += bytes.toString();
  };
  child.stdout.on("data", collect);
  child.stderr.on("data", collect);
  // A program that ends without reading its input closes the pipe; its exit code tells the story.
  child.stdin.on("error", () => undefined);
  child.stdin.end(options.input ?? "");
  child.on("error", (cause) => resolve({ code: null, output: output + cause.message }));
  child.on("close", (code) => resolve({ code, output }));
  return promise;
}

/**
 * Its own session, so that Ctrl-C in a terminal reaches only us and we stop things in order. A bare environment, so
 * that PG* variables and locales of the person who starts it change nothing.
 */
export function spawnAs(user: ServerUser, cwd: string): SpawnOptions {
  return {
    cwd,
    detached: true,
    env: { NODE_ENV: "production", PATH: "/usr/local/bin:/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" },
    ...(user.isLent ? { uid: user.uid, gid: user.gid } : {}),
  };
}
