import { execFileSync } from "node:child_process";
import { constants, openSync } from "node:fs";
import { Socket } from "node:net";
import { join } from "node:path";

/**
 * Tells the moment at which a job's first instruction runs, the same way for Nexus, peers and floors: the job writes
 * a line into a named pipe that this process reads. Both moments come from one clock.
 */
export type StartProbe = {
  /** The job to submit: a shell that writes one line and ends. */
  argv: string[];
  /** The moment of the next start, on the clock of `performance.now()`. Ask before you submit. */
  next(): Promise<number>;
  close(): Promise<void>;
};

const LATE_MS = 60_000;

export function openStartProbe(folder: string): StartProbe {
  const path = join(folder, `started-${process.hrtime.bigint()}`);
  execFileSync("mkfifo", ["-m", "666", path]);
  // Read and write: with a writer of our own the pipe never reports an end between two jobs.
  const pipe = new Socket({
    fd: openSync(path, constants.O_RDWR | constants.O_NONBLOCK),
    readable: true,
    writable: false,
  });
  return {
    argv: ["/bin/sh", "-c", `echo >${path}`],
    next: () =>
      new Promise<number>((resolve, reject) => {
        const late = setTimeout(() => reject(new Error(`no job started within ${LATE_MS} ms`)), LATE_MS);
        pipe.once("data", () => {
          clearTimeout(late);
          resolve(performance.now());
        });
      }),
    close: () =>
      new Promise<void>((resolve) => {
        pipe.once("close", () => resolve());
        pipe.destroy();
      }),
  };
}
