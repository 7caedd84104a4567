import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LogStore } from "../../services/ports.ts";
import { createS3LogStore, type S3LogStoreOptions } from "../s3/s3-log-store.ts";
import { createS3Objects, type S3Settings } from "../s3/s3-objects.ts";

export type S3Server = {
  /** Ends it as a power cut would; what was stored stays. */
  kill(): Promise<void>;
  /** At the address that it had. */
  start(): Promise<void>;
  /** It holds its connections and answers nothing. */
  pause(): void;
  resume(): void;
  settings(prefix: string): S3Settings;
  clean(): Promise<void>;
};

/** A real server that checks signatures, over a folder of its own. */
export async function startS3Server(): Promise<S3Server> {
  const folder = mkdtempSync(join(tmpdir(), "nexus-s3-"));
  let child: ChildProcess | null = null;
  let port = 0;
  const server: S3Server = {
    async start() {
      const program = join(import.meta.dirname, "s3-server-program.ts");
      // What tells that there are more objects is made with an old cipher there.
      child = fork(program, [folder, String(port)], { execArgv: ["--openssl-legacy-provider"] });
      [port] = await once(child, "message");
    },
    async kill() {
      const ended = child && once(child, "exit");
      child?.kill("SIGKILL");
      await ended;
      child = null;
    },
    pause: () => void child?.kill("SIGSTOP"),
    resume: () => void child?.kill("SIGCONT"),
    settings: (prefix) => ({
      bucket: "nexus-logs",
      prefix,
      endpoint: `http://127.0.0.1:${port}`,
      region: "us-east-1",
      accessKeyId: "S3RVER",
      secretAccessKey: "S3RVER",
    }),
    async clean() {
      await server.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await server.start();
  return server;
}

let stores = 0;

export type TestS3Store = {
  root: string;
  problems: string[];
  settings: S3Settings;
  open(options?: Partial<S3LogStoreOptions>): Promise<LogStore>;
  keys(): Promise<string[]>;
  clean(): Promise<void>;
};

/** A folder and a prefix of its own, and stores over them. */
export function createTestS3Store(server: S3Server): TestS3Store {
  const root = mkdtempSync(join(tmpdir(), "nexus-s3-logs-"));
  const problems: string[] = [];
  const opened: LogStore[] = [];
  stores += 1;
  const settings = server.settings(`team/${process.pid}-${stores}`);
  return {
    root,
    problems,
    settings,
    async open(options) {
      const store = await createS3LogStore({
        ...settings,
        root,
        localBytesMax: 64 * 1024 * 1024,
        token: "test",
        nowMs: () => performance.now(),
        onProblem: (message) => problems.push(message),
        retryMs: 20,
        ...options,
      });
      opened.push(store);
      return store;
    },
    async keys() {
      const objects = createS3Objects({ ...settings, signal: new AbortController().signal });
      return (await objects.list("")).map(({ key }) => key);
    },
    async clean() {
      for (const store of opened) await store.close();
      rmSync(root, { recursive: true, force: true });
    },
  };
}
