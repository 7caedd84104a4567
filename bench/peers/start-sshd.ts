import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";
import { formatPublicKey } from "@nexus/ssh/host-keys/public-key";
import { generateKey } from "@nexus/ssh/keys/generate-key";
import { freePort } from "../../tests/harness/free-port.ts";
import type { Shared } from "../bench-case.ts";

/** An OpenSSH server as a daemon on every loopback address, with its keys in a folder of the bench. */
export type BenchSshd = {
  port: number;
  user: string;
  folder: string;
  keyFile: string;
  hostKey: { type: string; base64: string };
  /** For the system's ssh: nothing but our own key and host key. */
  sshConfig: string;
};

const READY_MS = 10_000;
const SSHD = ["/usr/sbin/sshd", "/usr/local/sbin/sshd"].find((path) => existsSync(path));

export function unlessSshd(): string | undefined {
  return SSHD === undefined ? "sshd is not installed (Debian: apt-get install openssh-server)" : undefined;
}

export async function startSshd(parent: string): Promise<Shared<BenchSshd>> {
  const folder = mkdtempSync(join(parent, "sshd-"));
  const path = (name: string) => join(folder, name);
  const [host, user] = [generateKey("host"), generateKey("user")];
  const port = await freePort();
  writeFileSync(path("host"), host.privateKey, { mode: 0o600 });
  writeFileSync(path("key"), user.privateKey, { mode: 0o600 });
  writeFileSync(path("authorized"), `${formatPublicKey(user.publicKey)}\n`);
  writeFileSync(path("known_hosts"), `* ${formatPublicKey(host.publicKey)}\n`);
  const own = { port, user: userInfo().username, folder, keyFile: path("key"), hostKey: host.publicKey };
  writeFileSync(
    path("ssh_config"),
    `Host *\n Port ${port}\n User ${own.user}\n IdentityFile ${own.keyFile}\n IdentitiesOnly yes\n IdentityAgent none\n UserKnownHostsFile ${path("known_hosts")}\n StrictHostKeyChecking yes\n BatchMode yes\n`,
  );
  writeFileSync(
    path("sshd_config"),
    `Port ${port}\nListenAddress 0.0.0.0\nHostKey ${path("host")}\nAuthorizedKeysFile ${path("authorized")}\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\nPidFile none\nSetEnv HOME=${folder}\nMaxStartups 1000\nMaxSessions 10\nLogLevel ERROR\n`,
  );
  if (process.getuid?.() === 0 && !existsSync("/run/sshd")) mkdirSync("/run/sshd", { mode: 0o755 });
  const daemon = spawn(SSHD ?? "sshd", ["-D", "-f", path("sshd_config"), "-E", path("log")], {
    stdio: "ignore",
  });
  await untilListening(port, () => readFileSync(path("log"), "utf8"));
  return {
    value: { ...own, sshConfig: path("ssh_config") },
    async close() {
      const ended = new Promise((resolve) => daemon.once("exit", resolve));
      daemon.kill();
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Opens a ControlMaster to a host; the path of its socket. */
export function openMaster(sshd: BenchSshd, host: string): string {
  const socket = join(sshd.folder, `mux-${host}`);
  const { status, stderr } = spawnSync("ssh", ["-F", sshd.sshConfig, "-MNf", "-S", socket, host], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`ssh -M to ${host} ended with ${status}: ${stderr}`);
  return socket;
}

export function closeMaster(sshd: BenchSshd, host: string): void {
  spawnSync("ssh", ["-F", sshd.sshConfig, "-S", join(sshd.folder, `mux-${host}`), "-O", "exit", host], {
    stdio: "ignore",
  });
}

async function untilListening(port: number, log: () => string): Promise<void> {
  const deadline = performance.now() + READY_MS;
  for (;;) {
    const isUp = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1");
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
      socket.once("connect", () => socket.destroy());
    });
    if (isUp) return;
    if (performance.now() > deadline) throw new Error(`sshd does not listen: ${log()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
