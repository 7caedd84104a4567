import { createInterface } from "node:readline/promises";
import { NexusError } from "@nexus/shared/errors";
import type { Cli } from "../cli.ts";

/** One line from the terminal or the pipe on stdin. On a terminal nothing of a secret is shown. */
export async function askLine(cli: Cli, question: string, { isSecret = false } = {}): Promise<string> {
  if (cli.stdin.isTTY) cli.stderr.write(question);
  if (isSecret && cli.stdin.isTTY) return await askHidden(cli);
  const lines = createInterface({ input: cli.stdin, terminal: false });
  try {
    for await (const line of lines) return line.trim();
    return "";
  } finally {
    lines.close();
  }
}

/** A yes to something that cannot be undone. Without a terminal the option must say it. */
export async function confirm(cli: Cli, question: string): Promise<boolean> {
  if (!cli.stdin.isTTY) {
    throw new NexusError("bad_request", { detail: `${question} There is no terminal to ask; add --yes.` });
  }
  return /^y(es)?$/i.test(await askLine(cli, `${question} [y/N] `));
}

/** One key, without Enter. Ctrl-C counts as a key. Restores the terminal whatever happens. */
export function askKey({ stdin }: Cli): Promise<string> {
  return new Promise((resolve) => {
    stdin.setRawMode(true);
    stdin.resume();
    stdin.once("data", (bytes) => {
      stdin.setRawMode(false);
      stdin.pause();
      resolve(bytes.toString("utf8"));
    });
  });
}

async function askHidden(cli: Cli): Promise<string> {
  let text = "";
  for (;;) {
    for (const key of await askKey(cli)) {
      if (key === "\r" || key === "\n" || key === "\u0004") {
        cli.stderr.write("\n");
        return text.trim();
      }
      if (key === "\u0003") {
        cli.stderr.write("\n");
        throw new NexusError("bad_request", { detail: "Nothing was entered." });
      }
      text = key === "\u007f" || key === "\b" ? text.slice(0, -1) : text + key;
    }
  }
}
