import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import {
  listBackground,
  newBackgroundId,
  readBackground,
  readBackgroundLog,
  startBackground,
} from "../background/background-run.ts";
import { findProgram } from "../testing/find-program.ts";
import { METACHARACTERS } from "../testing/metacharacters.ts";
import { connectTo, trusting } from "../testing/test-session.ts";
import { startTestSshd, type TestSshd, whyNoTerminals } from "../testing/test-sshd.ts";
import { killTree } from "./kill-tree.ts";
import { remoteCommand } from "./remote-command.ts";
import { runRemote, runScript } from "./run-remote.ts";

let server: TestSshd;
beforeAll(async () => {
  server = await startTestSshd();
});
afterAll(() => server.close());

const text = (buffer: Buffer) => buffer.toString("utf8");

/** Resolves when the file exists: the process under test says by it where it is. */
async function appears(file: string): Promise<string> {
  for (;;) {
    if (existsSync(file) && readFileSync(file, "utf8").endsWith("\n"))
      return readFileSync(file, "utf8").trim();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** As sshd does with the login shell. */
function runIn([program = "", ...args]: string[], command: string) {
  const { env } = process;
  const { shell: _shell, version: _version, ...plain } = env;
  return spawnSync(program, [...args, "-c", command], { encoding: "utf8", env: plain });
}

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

describe("[H11] exec", () => {
  test("[H11] output streams while the program runs, stdin reaches it, stderr stays apart", async () => {
    const session = await connectTo(server);
    const child = await session.exec({
      argv: ["sh", "-c", "echo one; read line; echo got $line; echo err >&2"],
    });
    const lines = child.stdout[Symbol.asyncIterator]();
    expect(String((await lines.next()).value)).toBe("one\n");
    child.stdin.end("two\n");
    expect(String((await lines.next()).value)).toBe("got two\n");
    let errors = "";
    for await (const chunk of child.stderr) errors += chunk;
    expect(errors).toBe("err\n");
    expect(await child.exited).toEqual({ code: 0, signal: null });
  });

  test.each([
    [["sh", "-c", "exit 7"], { code: 7, signal: null }],
    [["sh", "-c", "exit 255"], { code: 255, signal: null }],
    [["sh", "-c", "kill -KILL $$"], { code: null, signal: "SIGKILL" }],
    [["no-such-program"], { code: 127, signal: null }],
  ])("[H11] %j ends as it ended", async (argv, exit) => {
    const session = await connectTo(server);
    expect(await runRemote(session, { argv })).toMatchObject(exit);
  });

  test("[H11] the end is known although nobody reads the output", async () => {
    const session = await connectTo(server);
    const child = await session.exec({ argv: ["sh", "-c", "echo unread; exit 3"] });
    expect(await child.exited).toEqual({ code: 3, signal: null });
  });

  test("[H11] megabytes pass both ways unharmed", async () => {
    const session = await connectTo(server);
    const block = Buffer.from(Array.from({ length: 65536 }, (_, index) => (index * 7) % 256));
    const stdin = Readable.from(Array.from({ length: 80 }, () => block));
    const { stdout } = await runRemote(session, { argv: ["cat"] }, { stdin });
    expect(stdout.equals(Buffer.concat(Array.from({ length: 80 }, () => block)))).toBe(true);
  });

  test("[H11] a program that ends without reading its stdin has ended", async () => {
    const session = await connectTo(server);
    const stdin = Buffer.alloc(16 * 1024 * 1024);
    expect(await runRemote(session, { argv: ["true"] }, { stdin })).toMatchObject({ code: 0 });
  });

  test("[H11] folder and environment are set, a folder that is not there is an exit code", async () => {
    const session = await connectTo(server);
    const argv = ["sh", "-c", 'echo "$PWD|$GREETING"'];
    const env = { GREETING: "it's $HOME" };
    const { stdout } = await runRemote(session, { argv, cwd: "/tmp", env });
    expect(text(stdout)).toBe("/tmp|it's $HOME\n");
    expect(await runRemote(session, { argv, cwd: "/no/such" })).toMatchObject({
      code: expect.toSatisfy((code) => code > 0),
    });
  });

  test("[H11] a script that fails says what it was and its own words", async () => {
    const session = await connectTo(server);
    const script = { what: "asking", text: "echo no >&2; exit 4", args: [] };
    await expect(runScript(session, script)).rejects.toThrow("asking failed (4): no");
  });

  test("[H11] more output than wanted ends the program", async () => {
    const session = await connectTo(server);
    await expect(runRemote(session, { argv: ["yes"] }, { bytesMax: 1e5, graceMs: 100 })).rejects.toThrow(
      /more than 100000 bytes/,
    );
  });
});

describe("[H12] cancel", () => {
  const escaping = (file: string) =>
    `setsid sh -c 'trap "" TERM; echo $$ >${file}.a; sleep 600 & echo $! >${file}.b; wait; wait' &
     (sleep 600 & echo $! >${file}.c) ; wait`;

  test.each(["proc", "ps"] as const)(
    "[H12] the whole tree is ended, also what left the session or ignores TERM (found by %s)",
    async (look) => {
      const session = await connectTo(server);
      const file = join(server.folder, `escape-${look}`);
      const bystander = await session.exec({ argv: ["sleep", "600"] });
      const child = await session.exec({ argv: ["sh", "-c", escaping(file)] });
      const pids = await Promise.all(
        ["a", "b", "c"].map(async (end) => Number(await appears(`${file}.${end}`))),
      );
      expect(pids.every(isAlive)).toBe(true);
      const report = await killTree(session, child.mark, { graceMs: 300, look });
      expect(report.leftPids).toEqual([]);
      expect(report.seenPids).toEqual(expect.arrayContaining(pids));
      expect(pids.some(isAlive)).toBe(false);
      const rest = await killTree(session, bystander.mark, { graceMs: 1000 });
      expect(rest.seenPids).toHaveLength(1);
    },
  );

  test("[H12] an abort ends the tree and rejects; so does the timeout", async () => {
    const session = await connectTo(server);
    const file = join(server.folder, "abort");
    const abort = new AbortController();
    const argv = ["sh", "-c", `sleep 600 & echo $! >${file}; wait`];
    const running = runRemote(session, { argv }, { signal: abort.signal });
    const pid = Number(await appears(file));
    abort.abort();
    await expect(running).rejects.toMatchObject({ failure: "cancelled" });
    expect(isAlive(pid)).toBe(false);
    await expect(runRemote(session, { argv: ["sleep", "600"] }, { timeoutMs: 100 })).rejects.toMatchObject({
      failure: "timed_out",
    });
    await expect.poll(() => session.channelCount()).toBe(0);
  });
});

describe("[H13] metacharacters", () => {
  test("[H13] words, values and folders arrive as they are and execute nothing", async () => {
    const session = await connectTo(server);
    const script = 'for word in "$PWD" "$VALUE" "$@"; do printf "%s\\0" "$word"; done';
    for (const nasty of METACHARACTERS) {
      const folder = join(server.home, nasty.replaceAll("/", "_"));
      const request = { argv: ["sh", "-c", script, "sh", nasty, ""], env: { VALUE: nasty }, cwd: folder };
      await runRemote(session, { argv: ["mkdir", "-p", "--", folder] });
      const { stdout, code } = await runRemote(session, request);
      expect(code).toBe(0);
      expect(text(stdout).split("\0")).toEqual([folder, nasty, nasty, "", ""]);
    }
    expect(existsSync(join(server.home, "pwned"))).toBe(false);
    expect(existsSync("/tmp/pwned")).toBe(false);
  });

  test("[H13] a program's name is never a command line", async () => {
    const session = await connectTo(server);
    for (const nasty of METACHARACTERS.filter((one) => !one.startsWith("-"))) {
      const { code } = await runRemote(session, { argv: [nasty] });
      expect(code).not.toBe(0);
    }
    expect(existsSync(join(server.home, "pwned"))).toBe(false);
  });

  test("[H13] no login shell meets more than letters, digits, octal and our own frame", () => {
    for (const nasty of METACHARACTERS) {
      const command = remoteCommand({ argv: ["echo", nasty], mark: "m" });
      expect(command).toMatch(
        /^(test -z "\$shell" && test -z "\$version" && eval 'NEXUS_EXEC_ID=m exec echo (?<word>[A-Za-z0-9_.:/+,-][\w.:/=@%+,-]*)'; exec env NEXUS_EXEC_ID=m echo \k<word>|exec sh -c 'eval "\$\(printf %b "\$1"\)"' sh '[A-Za-z0-9_./ \\-]*')$/,
      );
    }
  });

  test.each(
    ["sh", "dash", "bash", "zsh", "ksh", "mksh", "busybox", "fish", "tcsh", "csh"].filter((name) =>
      findProgram([name]),
    ),
  )("[H13] %s as login shell gives plain and other words on, and the mark", (name) => {
    const shell = name === "busybox" ? ["busybox", "sh"] : [name];
    for (const word of ["plain", "it's $HOME"]) {
      const argv = ["sh", "-c", 'echo "$NEXUS_EXEC_ID $0"', word];
      const plain = ["printenv", "NEXUS_EXEC_ID"];
      expect(runIn(shell, remoteCommand({ argv, mark: "m" })).stdout).toBe(`m ${word}\n`);
      expect(runIn(shell, remoteCommand({ argv: plain, mark: "m" })).stdout).toBe("m\n");
    }
    expect(runIn(shell, remoteCommand({ argv: ["no-such-program"], mark: "m" })).status).toBe(127);
  });

  test("[H13] a plain command may be as long as any other", () => {
    const argv = ["echo", ...Array.from({ length: 7_000 }, () => "abcdefghi")];
    const command = remoteCommand({ argv, mark: "m" });
    expect(runIn(["sh"], command).stdout).toBe(`${"abcdefghi ".repeat(7_000).trim()}\n`);
  });

  test("[H13] names of variables, NUL bytes and endless commands are refused", () => {
    const refused = { failure: "config_invalid" };
    const refuse = (act: () => unknown) => expect(act).toThrow(expect.objectContaining(refused));
    for (const name of ["A B", "A=B", "1A", "", "A;id", "A\nB"]) {
      refuse(() => remoteCommand({ argv: ["a"], env: { [name]: "x" }, mark: "m" }));
    }
    refuse(() => remoteCommand({ argv: ["a", "b\0c"], mark: "m" }));
    refuse(() => remoteCommand({ argv: [], mark: "m" }));
    refuse(() => remoteCommand({ argv: ["-c", "x"], mark: "m" }));
    refuse(() => remoteCommand({ argv: ["a", "x".repeat(200_000)], mark: "m" }));
  });
});

test("[H14] a connection cut in the middle makes the end unknown, never an exit code", async () => {
  const own = await startTestSshd();
  try {
    const session = await connectTo(own, { verifier: await trusting(own) });
    const child = await session.exec({ argv: ["sh", "-c", "echo started; sleep 600"] });
    for await (const _ of child.stdout) break;
    const waiting = runRemote(session, { argv: ["cat"] }, { stdin: new PassThrough() });
    waiting.catch(() => undefined);
    own.cutAll();
    await expect(child.exited).rejects.toMatchObject({ failure: "connection_lost" });
    await expect(waiting).rejects.toMatchObject({ failure: "connection_lost" });
    expect(await session.ended).toBeInstanceOf(Error);
    const marks = await connectTo(own, { verifier: await trusting(own) });
    await killTree(marks, child.mark, { graceMs: 1000 });
  } finally {
    await own.close();
  }
});

// tidy-allow skip: an sshd of a normal user cannot give out terminals
test.skipIf(whyNoTerminals() !== undefined)(
  "[H15] a terminal has its size, follows it, and joins both streams",
  async () => {
    const session = await connectTo(server);
    const terminal = { columns: 91, rows: 27 };
    const ready = join(server.folder, "tty");
    const script = `stty size; trap 'stty size; exit 5' WINCH; echo >${ready}; while :; do sleep 0.05; done`;
    const child = await session.exec({ argv: ["sh", "-c", script], terminal });
    let output = "";
    child.stdout.on("data", (chunk) => {
      output += chunk;
    });
    await expect.poll(() => existsSync(ready)).toBe(true);
    child.resize({ columns: 100, rows: 30 });
    expect(await child.exited).toEqual({ code: 5, signal: null });
    await expect.poll(() => output).toBe("27 91\r\n30 100\r\n");
  },
);

test("[H16] a key that is bound to a command runs that command, whatever is asked", async () => {
  const forced = await startTestSshd({ authorizedKeys: 'command="echo forced" KEY\n' });
  try {
    const session = await connectTo(forced);
    const { stdout } = await runRemote(session, { argv: ["echo", "mine"] });
    expect(text(stdout)).toBe("forced\n");
  } finally {
    await forced.close();
  }
});

describe("[H46] what the log-in says before", () => {
  test.each(["echo HELLO NOISE", "printf 'no newline'", "seq 10000"])(
    "[H46] %s is no part of an answer",
    async (noise) => {
      const { session, runs } = await loggingIn(noise);
      expect(
        await runScript(session, { what: "asking", text: 'printf "%s" "$1"', args: ["an answer"] }),
      ).toBe("an answer");
      const id = newBackgroundId();
      await startBackground(session, { id, argv: ["printf", "bytes"] });
      await expect.poll(async () => (await readBackground(session, id)).state).toBe("exited");
      expect(String(await readBackgroundLog(session, { id, offset: 0, bytesMax: 100 }))).toBe("bytes");
      expect([...(await listBackground(session)).keys()]).toEqual([id]);
      expect(runs()).toBeGreaterThan(0);
    },
  );

  test("[H46] a machine that runs something else is told as that, with its words", async () => {
    const { session } = await loggingIn("echo only backups here; exit 1");
    const asked = runScript(session, { what: "looking at the machine", text: "uname", args: [] });
    await expect(asked).rejects.toMatchObject({
      failure: "remote_refused",
      message: expect.stringMatching(
        /looking at the machine failed \(1\): .*forced command.*only backups here/,
      ),
    });
  });
});

/** A session to a machine whose log-ins run this first. */
async function loggingIn(startUp: string) {
  const machine = await startTestSshd();
  onTestFinished(() => machine.close());
  const count = join(machine.home, "count");
  writeFileSync(join(machine.home, ".bashrc"), `echo x >>${count}\n${startUp}\n`);
  const session = await connectTo(machine, { verifier: await trusting(machine) });
  return { session, runs: () => readFileSync(count, "utf8").length };
}
