import type { Command } from "commander";

/** How machines are logged in to; the same for bringing them in and for giving them back. */
export type SshOptions = {
  identity?: string[];
  password?: boolean;
  acceptHostKey?: string[];
  parallel?: string;
};

const collect = (value: string, before: string[] = []) => [...before, value];

export function addSshOptions(command: Command): Command {
  return command
    .option("-i, --identity <file>", "log in with this private key; repeatable", collect)
    .option("--password", "log in with a password, which is asked for (or read from standard input)")
    .option(
      "--accept-host-key <fingerprint>",
      "trust this key of a new machine without asking; repeatable",
      collect,
    )
    .option("--parallel <n>", "so many machines at once (default: 8)");
}
