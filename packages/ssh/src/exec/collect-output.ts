import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { RemoteExit, RemoteProcess } from "../session.ts";

export type RunResult = RemoteExit & { stdout: Buffer; stderr: Buffer };

export type CollectOptions = {
  stdin?: string | Uint8Array | Readable | undefined;
  bytesMax: number;
  /** Called once when a stream brings more than `bytesMax`; what came until then is the result. */
  onExcess(): void;
};

/** Feeds a process, reads both its streams to their end, and waits for its own. */
export async function collectOutput(child: RemoteProcess, options: CollectOptions): Promise<RunResult> {
  feed(child, options.stdin);
  const [exit, stdout, stderr] = await Promise.all([
    child.exited,
    collect(child.stdout, options),
    collect(child.stderr, options),
  ]);
  return { ...exit, stdout, stderr };
}

function feed(child: RemoteProcess, stdin: CollectOptions["stdin"]): void {
  child.stdin.on("error", () => undefined);
  if (stdin === undefined) child.stdin.end();
  else if (typeof stdin === "string" || stdin instanceof Uint8Array) child.stdin.end(stdin);
  // A program may end without reading all: its exit says whether that was right.
  else pipeline(stdin, child.stdin).catch(() => undefined);
}

/** By events: an async iterator of a stream joins what has piled up, which halves the rate. */
function collect(stream: Readable, { bytesMax, onExcess }: CollectOptions): Promise<Buffer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const finish = () => resolve(Buffer.concat(chunks));
    stream.on("data", (chunk: Buffer) => {
      if (size > bytesMax) return;
      size += chunk.length;
      if (size <= bytesMax) chunks.push(chunk);
      else onExcess();
    });
    // A cut connection is told by the process's own end; what came until then is the output.
    stream.once("end", finish).once("close", finish).once("error", finish);
  });
}
