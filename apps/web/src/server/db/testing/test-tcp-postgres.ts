import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readPostmasterFile } from "../embedded/postmaster-file.ts";
import { runAs, spawnAs } from "../embedded/run-as.ts";
import { ensureRuntime } from "../embedded/runtime.ts";
import { chooseServerUser } from "../embedded/server-user.ts";
import { testRuntimeRoot } from "./test-runtime-root.ts";

/** The shipped Postgres, and every version that Debian's packages have put on this machine. */
export async function findServerPrograms(): Promise<{ name: string; binDir: string }[]> {
  const user = chooseServerUser("/nonexistent");
  const shipped = await ensureRuntime(testRuntimeRoot(), user, () => undefined);
  const root = "/usr/lib/postgresql";
  const versions = existsSync(root) ? readdirSync(root) : [];
  const packaged = versions
    .map((version) => ({ name: `Postgres ${version}`, binDir: join(root, version, "bin") }))
    .filter(({ binDir }) => existsSync(join(binDir, "initdb")));
  return [{ name: "the shipped Postgres", binDir: shipped.binDir }, ...packaged];
}

/** A throw-away server as others run it: on a port, reached by a URL. */
export async function startTcpPostgres(binDir: string): Promise<{ url: string; stop(): Promise<void> }> {
  const user = chooseServerUser("/nonexistent");
  const dir = mkdtempSync(join(tmpdir(), "nexus-tcp-pg-"));
  if (user.isLent) chownSync(dir, user.uid, user.gid);
  chmodSync(dir, 0o700);
  const init = await runAs(
    user,
    [join(binDir, "initdb"), "-D", dir, "-U", "nexus", "-A", "trust", "--no-sync"],
    {
      cwd: "/",
    },
  );
  if (init.code !== 0) throw new Error(init.output);
  const port = await freePort();
  const settings = ["listen_addresses=127.0.0.1", `port=${port}`, "unix_socket_directories=", "fsync=off"];
  const args = ["-D", dir, ...settings.flatMap((setting) => ["-c", setting])];
  const child = spawn(join(binDir, "postgres"), args, { ...spawnAs(user, "/"), stdio: "ignore" });
  while (readPostmasterFile(dir)?.status !== "ready" && child.exitCode === null)
    await new Promise((resolve) => setTimeout(resolve, 5));
  return {
    url: `postgres://nexus@127.0.0.1:${port}/postgres`,
    async stop() {
      child.kill("SIGINT");
      if (child.exitCode === null) await once(child, "exit");
      rmSync(dir, { recursive: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address ? address.port : 0;
}
