import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { formatPublicKey, type PublicKey } from "../host-keys/public-key.ts";
import type { SshKeyPair } from "../keys/generate-key.ts";
import { findProgram } from "./find-program.ts";
import { newTestKey } from "./test-keys.ts";

/**
 * A real OpenSSH server on loopback, without a daemon: this process listens, on a port that the system gives, and each
 * connection gets an `sshd -i` of its own. Nothing of the machine is touched: its home is a temporary folder, and where
 * a password is wanted, sshd sees a private copy of the shadow file in a mount namespace of its own (needs root).
 */
export type TestSshd = {
  host: "127.0.0.1";
  port: number;
  user: string;
  hostKey: PublicKey;
  /** A key that may log in. */
  userKey: SshKeyPair;
  folder: string;
  home: string;
  authorizedKeysFile: string;
  connectionCount(): number;
  /** Connections whose server process has not ended. */
  openCount(): number;
  /** Ends every server process at once, as a power cut would. */
  cutAll(): void;
  log(): string;
  close(): Promise<void>;
};

export type TestSshdOptions = {
  /** Lines of sshd_config, before ours: the first value counts. */
  lines?: string[];
  /** Logging in with this password is possible. */
  password?: string;
  /** Questions by PAM, which ask for the password. */
  pam?: boolean;
  hostKey?: SshKeyPair;
  /** Replaces the authorized_keys file. `KEY` stands for the user's key. */
  authorizedKeys?: string;
};

export function sshdPath(): string {
  // biome-ignore lint/style/noProcessEnv: where the machine's owner keeps sshd
  const path = findProgram([process.env.SSHD_PATH, "sshd"]);
  if (path === undefined) throw new Error("sshd is missing (Debian: apt-get install openssh-server)");
  return path;
}

/** Why password log-in cannot be tested here; undefined where it can. */
export function whyNoPasswords(): string | undefined {
  if (process.getuid?.() !== 0) return "only root can give sshd a shadow file of its own";
  if (spawnSync("openssl", ["version"]).status !== 0) return "openssl, which hashes the password, is missing";
  const probe = spawnSync("unshare", ["--mount", "true"]);
  return probe.status === 0 ? undefined : "mount namespaces are not allowed here";
}

/** Why terminals cannot be tested here: sshd gives a terminal to the group `tty`, which only root may. */
export function whyNoTerminals(): string | undefined {
  return process.getuid?.() === 0 ? undefined : "an sshd of a normal user cannot give out terminals";
}

export async function startTestSshd(options: TestSshdOptions = {}): Promise<TestSshd> {
  const folder = mkdtempSync(join(tmpdir(), "nexus-sshd-"));
  const path = (name: string) => join(folder, name);
  const hostKey = options.hostKey ?? newTestKey("host");
  const userKey = newTestKey("user");
  const home = path("home");
  mkdirSync(home);
  writeFileSync(path("host_key"), hostKey.privateKey, { mode: 0o600 });
  const authorized = options.authorizedKeys ?? "KEY\n";
  writeFileSync(path("authorized_keys"), authorized.replaceAll("KEY", formatPublicKey(userKey.publicKey)));
  // sshd as root insists on this folder; Debian makes it when the service starts.
  if (process.getuid?.() === 0 && !existsSync("/run/sshd")) mkdirSync("/run/sshd", { mode: 0o755 });
  const config = [
    ...(options.lines ?? []),
    `HostKey ${path("host_key")}`,
    `AuthorizedKeysFile ${path("authorized_keys")} ${home}/.ssh/authorized_keys`,
    "StrictModes no",
    "PermitRootLogin yes",
    "PidFile none",
    `SetEnv HOME=${home}`,
    `UsePAM ${options.pam ? "yes" : "no"}`,
    `PasswordAuthentication ${options.password !== undefined && !options.pam ? "yes" : "no"}`,
    `KbdInteractiveAuthentication ${options.pam ? "yes" : "no"}`,
    "PrintMotd no",
    "PrintLastLog no",
    "Subsystem sftp internal-sftp",
    "LogLevel VERBOSE",
  ];
  writeFileSync(path("sshd_config"), `${config.join("\n")}\n`);
  writeFileSync(path("log"), "");
  const sshd = [sshdPath(), "-i", "-f", path("sshd_config"), "-E", path("log")];
  const argv = options.password === undefined ? sshd : withPassword(folder, options, sshd);

  const children = new Set<ChildProcess>();
  let connections = 0;
  const server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => {
    connections += 1;
    const [program = "", ...args] = argv;
    const child = spawn(program, args, { stdio: [socket, socket, "ignore"], detached: true });
    children.add(child);
    child.once("exit", () => children.delete(child));
    // The child has the connection now; ours would keep it open after the child's end.
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const cutAll = () => {
    for (const child of children) killGroup(child);
  };
  return {
    host: "127.0.0.1",
    port: (server.address() as AddressInfo).port,
    user: userInfo().username,
    hostKey: hostKey.publicKey,
    userKey,
    folder,
    home,
    authorizedKeysFile: path("authorized_keys"),
    connectionCount: () => connections,
    openCount: () => children.size,
    cutAll,
    log: () => readFileSync(path("log"), "utf8"),
    async close() {
      const ends = [...children].map((child) => new Promise((resolve) => child.once("exit", resolve)));
      cutAll();
      await Promise.all(ends);
      await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function killGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
  } catch {
    // It ended by itself meanwhile.
  }
}

/** The files are bound over the machine's inside a namespace that only this sshd and its children see. */
function withPassword(folder: string, { password = "", pam }: TestSshdOptions, sshd: string[]): string[] {
  const hash = spawnSync("openssl", ["passwd", "-6", "-stdin"], { input: password, encoding: "utf8" });
  const shadow = join(folder, "shadow");
  writeFileSync(shadow, `${userInfo().username}:${hash.stdout.trim()}:19000:0:99999:7:::\n`, { mode: 0o600 });
  const binds = [[shadow, "/etc/shadow"]];
  if (pam) {
    const rules = join(folder, "pam");
    const lines = [
      "auth required pam_unix.so",
      "account required pam_permit.so",
      "session required pam_permit.so",
    ];
    writeFileSync(rules, `${lines.join("\n")}\n`);
    binds.push([rules, "/etc/pam.d/sshd"]);
  }
  const script = `mount --make-rprivate / || exit 1
while [ "$1" != -- ]; do mount --bind "$1" "$2" || exit 1; shift 2; done
shift; exec "$@"`;
  return ["unshare", "--mount", "sh", "-c", script, "sh", ...binds.flat(), "--", ...sshd];
}
