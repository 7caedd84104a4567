/** One measured figure, in the unit of its case. */
export type Sample = number;

export type Unit = "ms" | "jobs/s" | "MB/s" | "MiB" | "% CPU";

/** One line of the table. Cases are run in rounds, all cases in each: a slow minute of the machine touches all alike. */
export type BenchCase = {
  name: string;
  unit: Unit;
  /** The case whose figure this one is divided by: a physical floor, or the peer to be compared with. */
  floor?: string;
  /** At most so many rounds, for a case that takes long. */
  rounds?: number;
  /** It takes too long for the table: run only when it is named. */
  isByName?: true;
  /** The reason why this case cannot run on this machine, with what to install. */
  absent?(): string | undefined;
  /** One round. Many samples for times, one or a few for rates. */
  run(ctx: BenchContext): Promise<Sample[]>;
};

export type BenchContext = {
  cores: number;
  /** A folder that is deleted when the run ends. */
  folder: string;
  /** Opens something costly once for all rounds and cases; it is closed after the last one. */
  share<T>(name: string, open: () => Promise<Shared<T>>): Promise<T>;
};

export type Shared<T> = { value: T; close(): Promise<void> };

/** Times get shorter when things get better, memory too; rates grow. */
export function isRate(unit: Unit): boolean {
  return unit.endsWith("/s");
}
