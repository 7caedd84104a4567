/**
 * The processes of this machine, as far as this user may see them.
 * A process is identified by boot id, pid and start time, never by its pid alone; a zombie counts as gone.
 */
export type ProcessRow = {
  pid: number;
  startTime: string;
  parent: number;
  group: number;
  session: number;
  /** The attempt whose marker its environment carries. */
  attempt: string | null;
  /** The files that its standard output and error go to, of one without a marker. */
  outputs: string[];
};

export type ProcessTable = {
  /** How the launcher finds identities; both sides must write the same start times. */
  kind: "proc" | "ps";
  /** Null when there is no such process. */
  startTimeOf(pid: number): string | null;
  /**
   * All processes that live. Markers and outputs are looked for only in those that started at `since` or later (null: in all), since
   * the environment of every process of the machine is the expensive part.
   */
  scan(since: string | null): ProcessRow[];
  /** For people; an empty string when it cannot be read. */
  commandOf(pid: number): string;
  /** Processes whose command line has a word that begins so, with all its words. */
  running(prefix: string): { pid: number; session: number; words: string[] }[];
  /** On the clock of the launcher's records; null where the system does not tell it. */
  uptimeMs(): number | null;
};
