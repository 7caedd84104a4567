/** In place of `node:child_process`: the one program that the agent starts is its launcher. */
import { kernel, type Program } from "../world/kernel.ts";
import { machineOfProgram } from "../world/machine.ts";
import { addProcess } from "../world/processes.ts";
import { supervise } from "../world/supervisor.ts";

type Listener = (...values: never[]) => void;

const PIPE_MS = 0.2;
const START_MS = 5;

export function execFileSync(): never {
  throw new Error("no program is run so in a simulation");
}

export function spawn(path: string, args: string[], options: { cwd: string }) {
  kernel().call();
  const machine = machineOfProgram();
  const agent = kernel().current as Program;
  const { random, after } = kernel();
  const launcher = addProcess(machine, { group: "own", session: "own", words: [path, ...args] });
  const bootId = args[3] ?? "";
  const listeners = new Map<string, Listener[]>();
  let isReadable = true;
  let unread = "";
  let orderedAtMs = 0;
  let saidAtMs = 0;
  let onReadable: () => void = () => undefined;

  const child = {
    pid: launcher.pid,
    exitCode: null as number | null,
    signalCode: null as string | null,
    stdin: {
      write: send,
      end: hangUp,
      on: () => undefined,
    },
    stdout: {
      setEncoding: () => child.stdout,
      on(_name: "readable", listener: () => void) {
        onReadable = listener;
        return child.stdout;
      },
      read() {
        const text = unread === "" ? null : unread;
        unread = "";
        return text;
      },
      destroy() {
        isReadable = false;
      },
    },
    once: (name: string, listener: Listener) => {
      listeners.set(name, [...(listeners.get(name) ?? []), listener]);
      return child;
    },
    kill: (signal: string) => launcher.die(signal, null),
    unref: () => undefined,
  };
  agent.onDeath.push(hangUp);
  launcher.onSignal = () => undefined;
  launcher.onEnd = ({ signal, status }) => {
    after(PIPE_MS, agent, () => {
      child.exitCode = signal === null ? status : null;
      child.signalCode = signal;
      emit("exit");
    });
  };
  after(random.delayMs(START_MS), null, () => {
    if (launcher.isAlive) say("ready batch");
  });
  return child;

  function emit(name: string): void {
    const called = listeners.get(name) ?? [];
    listeners.delete(name);
    for (const listener of called) listener();
  }

  /** The pipe keeps what was written, also when the writer dies before it is read. */
  function send(text: string): void {
    kernel().call();
    for (const line of text.split("\n")) {
      if (line === "") continue;
      orderedAtMs = Math.max(orderedAtMs, kernel().nowMs + random.delayMs(PIPE_MS));
      after(orderedAtMs - kernel().nowMs, null, () => {
        if (!launcher.isAlive || !machine.isUp) return;
        supervise(line.split(" "), { machine, attemptsFolder: options.cwd, bootId, launcher, say });
      });
    }
  }

  function say(text: string): void {
    saidAtMs = Math.max(saidAtMs, kernel().nowMs + random.delayMs(PIPE_MS));
    after(saidAtMs - kernel().nowMs, agent, () => {
      unread += `${text}\n`;
      if (isReadable) onReadable();
    });
  }

  /** It ends after its last supervisor, which nobody waits for here. */
  function hangUp(): void {
    after(orderedAtMs - kernel().nowMs + PIPE_MS, null, () => {
      if (!machine.isUp || !launcher.isAlive) return;
      launcher.onEnd = null;
      launcher.die(null, 0);
    });
  }
}
