/** A resident nvidia-smi whose sentences, the lines that are no rows, explain its end. */
import { type Resident, startResident } from "./resident.ts";
import { explainSmi, lostBusId } from "./smi-problem.ts";

/** What every loop of the driver shares. */
export type NvidiaLoopBase = {
  /** nvidia-smi's path. */
  command: string;
  procRoot: string;
  /** The least silence that counts as hung; three intervals where that is longer. */
  silenceMsMin: number;
  backoffMsMin: number;
  backoffMsMax: number;
  /** A device that the driver can no longer open. */
  onLost: (busId: string) => void;
};

export type NvidiaLoopOptions = {
  intervalMs: number;
  mayBeQuiet: boolean;
  prepare: () => Promise<string[]>;
  /** @returns whether the line was understood */
  onLine: (line: string) => boolean;
  /** Null when it ended before it could start: whoever prepares knows why. */
  onProblem: (reason: string | null) => void;
};

/** Sentences kept to explain an end. */
const SENTENCES_MAX = 20;
const SILENT_INTERVALS = 3;
const STUCK = "nvidia-smi is stuck inside the NVIDIA driver and cannot be killed; the node needs a reboot";
const SILENT = "nvidia-smi stopped answering and was restarted";

export function startNvidiaLoop(base: NvidiaLoopBase, options: NvidiaLoopOptions): Resident {
  let sentences: string[] = [];
  return startResident({
    command: base.command,
    prepare: options.prepare,
    onLine: (line) => {
      if (options.onLine(line)) return;
      const busId = lostBusId(line);
      if (busId !== null) base.onLost(busId);
      if (sentences.length < SENTENCES_MAX) sentences.push(line);
    },
    onEnd: (end) => {
      const said = explainSmi({ code: end.code, lines: sentences }).reason;
      sentences = [];
      options.onProblem(end.prepared ? (end.silent ? SILENT : said) : null);
    },
    onStuck: () => options.onProblem(STUCK),
    silenceMs: Math.max(base.silenceMsMin, SILENT_INTERVALS * options.intervalMs),
    mayBeQuiet: options.mayBeQuiet,
    backoffMsMin: base.backoffMsMin,
    backoffMsMax: base.backoffMsMax,
    procRoot: base.procRoot,
  });
}

/** A burst of lines is over after this long without one. nvidia-smi prints a round in one go. */
export function burstMs(intervalMs: number): number {
  return Math.min(250, intervalMs / 4);
}
