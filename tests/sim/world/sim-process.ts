/** A process that is no program of ours. */
export type SimProcess = {
  pid: number;
  startTime: string;
  group: number;
  session: number;
  attempt: string | null;
  words: string[];
  isAlive: boolean;
  /** Given a signal it decides itself, except for KILL. */
  onSignal: (signal: string) => void;
  onEnd: ((how: { signal: string | null; status: number }) => void) | null;
  die(signal: string | null, status: number | null): void;
};
