import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

export type ChildOptions = {
  env?: Record<string, string>;
  cwd?: string;
  /** Written to standard input, which is then closed. */
  input?: string;
  uid?: number;
  gid?: number;
};

/** A process under test, with all that it printed. It ends with the test's `dispose`, whatever happens. */
export class Child {
  readonly process: ChildProcess;
  stdout = "";
  stderr = "";
  readonly #exit: Promise<number>;

  constructor(command: readonly string[], options: ChildOptions = {}) {
    const [program, ...args] = command;
    if (program === undefined) throw new Error("a child needs a command");
    this.process = spawn(program, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: ["pipe", "pipe", "pipe"],
      ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.gid ?? options.uid }),
    });
    this.process.stdout?.on("data", (bytes: Buffer) => {
      this.stdout += bytes.toString();
    });
    this.process.stderr?.on("data", (bytes: Buffer) => {
      this.stderr += bytes.toString();
    });
    this.process.stdin?.on("error", () => undefined);
    this.process.stdin?.end(options.input ?? "");
    this.#exit = once(this.process, "close").then(([code, signal]) => code ?? 128 + signalNumber(signal));
  }

  get isRunning(): boolean {
    return this.process.exitCode === null && this.process.signalCode === null;
  }

  /** @returns the exit code, or 128 + the signal's number. */
  exit(): Promise<number> {
    return this.#exit;
  }

  async kill(signal: NodeJS.Signals): Promise<number> {
    if (this.isRunning) this.process.kill(signal);
    return this.exit();
  }

  /** Resolves when the output holds `text`; fails when the process ends before. */
  async says(text: string | RegExp): Promise<void> {
    const isSaid = () => (typeof text === "string" ? this.#all().includes(text) : text.test(this.#all()));
    while (!isSaid()) {
      const more = Promise.race([
        once(this.process.stdout ?? this.process, "data"),
        once(this.process.stderr ?? this.process, "data"),
        this.exit().then((code) => {
          if (!isSaid()) throw new Error(`ended with ${code} before it said ${text}:\n${this.#all()}`);
        }),
      ]);
      await more;
    }
  }

  #all(): string {
    return this.stdout + this.stderr;
  }
}

function signalNumber(signal: NodeJS.Signals | null): number {
  const numbers: Partial<Record<NodeJS.Signals, number>> = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };
  return signal === null ? 0 : (numbers[signal] ?? 0);
}
