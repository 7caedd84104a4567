import type { Writable } from "node:stream";
import type { ReadStream } from "node:tty";

/** The world as the commands see it; main.ts fills it, and reads nothing else of it. */
export type CliContext = {
  env: Readonly<Record<string, string | undefined>>;
  /** Where the agent keeps all it has. */
  home: string;
  version: string;
  /** The bundle that runs. */
  scriptPath: string;
  nodePath: string;
  /** The file by which a person started us. */
  program: string;
  platform: NodeJS.Platform;
  uid: number | null;
  stdin: ReadStream;
  stdout: Writable & { isTTY?: boolean };
  stderr: Writable & { isTTY?: boolean };
  onSignal(names: readonly NodeJS.Signals[], listener: (name: NodeJS.Signals) => void): void;
};

export function say(context: CliContext, line: string): void {
  context.stdout.write(`${line}\n`);
}

export function sayError(context: CliContext, line: string): void {
  context.stderr.write(`${line}\n`);
}
