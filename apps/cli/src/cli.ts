import type { ReadStream, WriteStream } from "node:tty";
import type { Paint } from "./terminal/paint.ts";

/** The world as commands see it; main.ts makes it once. */
export type Cli = {
  env: Readonly<Record<string, string | undefined>>;
  /** NEXUS_HOME. */
  home: string;
  stdin: ReadStream;
  stdout: WriteStream;
  stderr: WriteStream;
  /** For stdout, and for stderr, which may be one a terminal and the other not. */
  paint: Paint;
  paintErr: Paint;
  /** Width of the terminal on stdout; null in a pipe. */
  columns: number | null;
  nowMs(): number;
  /** What the process will end with. */
  exitCode: number;
};

export function print(cli: Cli, lines: string | string[]): void {
  cli.stdout.write(`${[lines].flat().join("\n")}\n`);
}

/** For people; results go to stdout. */
export function note(cli: Cli, line: string): void {
  cli.stderr.write(`${line}\n`);
}
