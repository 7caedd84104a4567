/**
 * What the agent's launcher script does, step by step (apps/agent/src/exec/launcher-script.ts), and the jobs that it starts.
 * Any process may be killed between two steps, and any write may find the disk full. That the script itself keeps to these
 * steps is what the agent's own tests show with real shells.
 */
import { DiskError, type File } from "./disk.ts";
import { ground, hasWritten, type Run, runBegins, type Work } from "./ground.ts";
import { kernel } from "./kernel.ts";
import type { Machine } from "./machine.ts";
import { addProcess } from "./processes.ts";
import type { SimProcess } from "./sim-process.ts";

export type Order = {
  machine: Machine;
  attemptsFolder: string;
  bootId: string;
  launcher: SimProcess;
  /** To the agent, while it listens. */
  say(text: string): void;
};

const STEP_MS = 0.4;
const RETRY_MS = 1000;
const LEFT_LIVES_MS = 30_000;
const encoder = new TextEncoder();

type Child = { attempt: string; process: SimProcess; status: number | null };

/** One process for a line: the name of an order, and the attempts of it that this process runs. */
export function supervise([orderName = "", ...attempts]: string[], order: Order): void {
  const { machine, attemptsFolder, say, bootId, launcher } = order;
  const self = addProcess(machine, { group: "own", session: launcher.session, words: [...launcher.words] });
  const children: Child[] = [];
  const begun: string[] = [];
  let isWaiting = false;
  let insisting = 0;
  let script = "";
  step(() => {
    const file = machine.disk.find(`${attemptsFolder}/${orderName}.sh`);
    if (file?.kind === "file") script = Buffer.from(file.bytes.subarray(0, file.size)).toString();
    begin(0);
  });

  function step(act: () => void): void {
    kernel().after(kernel().random.delayMs(STEP_MS), null, () => {
      if (self.isAlive && machine.isUp) act();
    });
  }

  function uptime(): string {
    return ((kernel().nowMs - machine.bootedAtMs) / 1000 + 1).toFixed(2);
  }

  function begin(at: number): void {
    const attempt = attempts[at];
    if (attempt === undefined) {
      if (begun.length > 0) say(begun.join("\n"));
      awaitEnds();
      return;
    }
    const next = () => step(() => begin(at + 1));
    let record: File;
    let log: File;
    try {
      // Whoever comes after all of an order have begun finds none.
      if (script === "") throw new DiskError("ENOENT", orderName);
      log = machine.disk.makeFile(`${attemptsFolder}/${attempt}.log`, false);
      record = machine.disk.makeFile(recordOf(attempt), true);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      say(`unclaimed ${attempt}`);
      next();
      return;
    }
    step(() => {
      const claim = `${self.pid} ${self.startTime} ${self.session} ${uptime()} ${attempts.length - 1 - at}`;
      if (!write(machine, record, `claim ${bootId} ${claim} .\n`)) {
        say(`unrecorded ${attempt}`);
        next();
        return;
      }
      step(() => {
        const child = startJob(order, { attempt, log, script: scriptOf(script, attempt) });
        step(() => {
          write(machine, record, `child ${child.process.pid} .\n`);
          begun.push(`started ${attempt} ${claim} ${child.process.pid}`);
          children.push(child);
          next();
        });
      });
    });
  }

  function awaitEnds(): void {
    isWaiting = true;
    for (const child of children) {
      if (child.status === null) child.process.onEnd = after(child.process.onEnd, () => collect(child));
      else collect(child);
    }
    leave();
  }

  function collect(child: Child): void {
    step(() => {
      const { attempt, process, status } = child;
      const isAlone = ![...machine.processes.values()].some(({ group }) => group === process.pid);
      const at = uptime();
      if (!append(attempt, `exit ${status} ${at} .\n`)) {
        insisting += 1;
        insist(attempt, `\nexit ${status} ${at} .\n`);
      }
      say(`exited ${attempt} ${status} ${at} ${isAlone ? "alone" : "left"}`);
      children.splice(children.indexOf(child), 1);
      leave();
    });
  }

  function leave(): void {
    if (isWaiting && children.length === 0 && insisting === 0) self.die(null, 0);
  }

  function recordOf(attempt: string): string {
    return `${attemptsFolder}/${attempt}.record`;
  }

  /** Of an attempt that was forgotten nothing may come back. @returns false when it is to be tried again. */
  function append(attempt: string, line: string): boolean {
    const record = machine.disk.find(recordOf(attempt));
    return record?.kind !== "file" || write(machine, record, line);
  }

  /**
   * The disk is full: an agent that comes later must find it. A process of its own, which nobody kills here; the supervisor
   * waits for it.
   */
  function insist(attempt: string, line: string): void {
    kernel().after(RETRY_MS, null, () => {
      if (!machine.isUp) return;
      if (!append(attempt, line)) {
        insist(attempt, line);
        return;
      }
      insisting -= 1;
      leave();
    });
  }
}

/** One write, as `echo` does it; it may be torn. */
function write(machine: Machine, record: File, line: string): boolean {
  const bytes = encoder.encode(line);
  try {
    return machine.disk.write(record, record.size, bytes) === bytes.length;
  } catch (error) {
    if (error instanceof DiskError) return false;
    throw error;
  }
}

type OnEnd = NonNullable<SimProcess["onEnd"]>;
const after =
  (first: SimProcess["onEnd"], second: OnEnd): OnEnd =>
  (how) => {
    first?.(how);
    second(how);
  };

/** What the function `begin` of an order does for one attempt. */
function scriptOf(order: string, attempt: string): string {
  const from = order.indexOf(`\n${attempt})\n`);
  return from < 0 ? "" : order.slice(from, order.indexOf("\n;;\n", from));
}

function startJob(
  { machine, launcher }: Order,
  { attempt, log, script }: { attempt: string; log: File; script: string },
): Child {
  const process = addProcess(machine, {
    group: "own",
    session: launcher.session,
    attempt,
    words: ["work"],
  });
  const child: Child = { attempt, process, status: null };
  process.onEnd = ({ status }) => {
    child.status = status;
  };
  const work = ground().works.get(Number(/exec '?work'? '?(\d+)'?/.exec(script)?.[1]));
  const job = /NEXUS_JOB_ID='?([^'\n]+)/.exec(script)?.[1];
  if (work === undefined || job === undefined) {
    kernel().after(STEP_MS, null, () => process.die(null, 126));
    return child;
  }
  const gpus = /CUDA_VISIBLE_DEVICES='?([^'\n]*)/.exec(script)?.[1]?.split(",").filter(Boolean) ?? [];
  const run = runBegins({ attempt, job, work, machine, gpus });
  if (run !== null) runJob(process, { run, log, work });
  return child;
}

function runJob(child: SimProcess, { run, log, work }: { run: Run; log: File; work: Work }): void {
  const { machine } = run;
  run.pids.add(child.pid);
  child.onEnd = after(child.onEnd, ({ status, signal }) => {
    run.pids.delete(child.pid);
    run.status = status;
    run.hasEnded = true;
    if (signal === "power") run.wasHarmed = true;
    kernel().note(`${machine.name} ${run.attempt} ends with ${status}`);
  });
  child.onSignal = (signal) => {
    if (signal === "SIGTERM" && !work.ignoresTerm) child.die("SIGTERM", null);
  };
  if (work.leavesProcess) leaveProcess(run, child);
  for (let at = 0; at < work.writes; at++) {
    kernel().after((work.durationMs * (at + 1)) / (work.writes + 1), null, () => {
      if (child.isAlive && machine.isUp) writeLine(run, log, at);
    });
  }
  kernel().after(work.durationMs, null, () => {
    if (machine.isUp) child.die(null, work.exitCode);
  });
}

function leaveProcess(run: Run, child: SimProcess): void {
  const { machine, attempt } = run;
  const left = addProcess(machine, { group: "own", session: child.session, attempt, words: ["left"] });
  run.pids.add(left.pid);
  left.onSignal = (signal) => {
    if (signal === "SIGTERM") left.die("SIGTERM", null);
  };
  left.onEnd = () => run.pids.delete(left.pid);
  kernel().after(LEFT_LIVES_MS, null, () => left.die(null, 0));
}

/** Lines that tell where they belong, so that a byte in a wrong place is seen. */
function writeLine(run: Run, log: File, at: number): void {
  const text = `${run.attempt} line ${at} at ${run.logBytes} `;
  const line = encoder.encode(`${text.padEnd(run.work.bytesPerWrite, "abcdefghij")}\n`);
  try {
    const count = run.machine.disk.write(log, log.size, line);
    hasWritten(run, line.subarray(0, count));
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
  }
}
