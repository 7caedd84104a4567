import { once } from "node:events";
import type { Cli } from "../cli.ts";
import { createTamer } from "./tame.ts";

/** Where a job's output goes. */
export type LogWriter = {
  /** Resolves when there is room for more. */
  write(bytes: Uint8Array): Promise<void>;
  /** Once no more follows: a colour that the job left on does not stay on the terminal. */
  end(): void;
};

/** A terminal gets what cannot take it over, unless all is asked for; a pipe or a file gets every byte as it is. */
export function openLogWriter({ stdout }: Cli, { isRaw }: { isRaw: boolean }): LogWriter {
  const tamer = stdout.isTTY && !isRaw ? createTamer() : null;
  return {
    async write(bytes) {
      if (!stdout.write(tamer ? tamer.tame(bytes) : bytes)) await once(stdout, "drain");
    },
    end() {
      const reset = tamer?.end();
      if (reset) stdout.write(reset);
    },
  };
}
