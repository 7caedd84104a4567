import { spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { PrivateKey } from "../auth/credentials.ts";
import { readPrivateKey } from "../auth/read-private-key.ts";
import { SshError } from "../ssh-error.ts";

/** An ssh-agent of our own in a private folder: keys reach ssh through it and never lie in a file. */
export type PrivateAgent = { socketPath: string; end(): void };

const PASSPHRASE = "NEXUS_SSH_PASSPHRASE";
/** ssh-add takes a passphrase from a program alone. The secret is in that program's environment, and in no file. */
const ASK_PASS = `#!/bin/sh
printf '%s\\n' "$${PASSPHRASE}"
`;

export type AgentOptions = {
  folder: string;
  keys: readonly PrivateKey[];
  env: Readonly<Record<string, string | undefined>>;
  signal: AbortSignal;
};

export async function startPrivateAgent({ folder, keys, env, signal }: AgentOptions): Promise<PrivateAgent> {
  const socketPath = join(folder, "agent");
  const agent = spawn("ssh-agent", ["-D", "-a", socketPath], {
    env: { ...env } as NodeJS.ProcessEnv,
    stdio: ["ignore", "pipe", "ignore"],
  });
  try {
    await new Promise<void>((resolve, reject) => {
      const fail = (cause?: Error) => reject(new SshError("unsupported", "ssh-agent does not start", cause));
      agent.once("error", fail);
      agent.once("exit", () => fail());
      // It says where it listens once it does.
      agent.stdout.once("data", () => resolve());
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
    const askPass = join(folder, "ask-pass");
    await writeFile(askPass, ASK_PASS, { mode: 0o700 });
    for (const key of keys) {
      await addKey(key, {
        ...env,
        SSH_AUTH_SOCK: socketPath,
        SSH_ASKPASS: askPass,
        SSH_ASKPASS_REQUIRE: "force",
        // Before OpenSSH 8.4 a display was what made it ask by program.
        DISPLAY: env.DISPLAY ?? ":0",
        [PASSPHRASE]: key.passphrase ?? "",
      });
    }
    return { socketPath, end: () => void agent.kill() };
  } catch (error) {
    agent.kill();
    throw error;
  }
}

function addKey(key: PrivateKey, env: Record<string, string | undefined>): Promise<void> {
  const read = readPrivateKey(key);
  // A wrong passphrase would be asked for again and again.
  if ("reason" in read && /locked|passphrase/.test(read.reason))
    throw new SshError("auth_failed", `key ${key.label}: ${read.reason}`);
  return new Promise((resolve, reject) => {
    const add = spawn("ssh-add", ["-q", "-"], {
      env: { ...env } as NodeJS.ProcessEnv,
      stdio: ["pipe", "ignore", "pipe"],
    });
    let words = "";
    add.stderr.on("data", (chunk) => {
      words += chunk;
    });
    add.once("error", reject);
    add.once("close", (code) => {
      if (code === 0) resolve();
      else reject(new SshError("auth_failed", `key ${key.label} cannot be used: ${words.trim()}`));
    });
    add.stdin.on("error", () => undefined);
    add.stdin.end(key.text.endsWith("\n") ? key.text : `${key.text}\n`);
  });
}
