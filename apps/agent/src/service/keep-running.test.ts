import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { eventually } from "../exec/testing/eventually.ts";
import { keepRunningScript } from "./keep-running-script.ts";

/** A folder with characters that a shell would act on, and a crontab of its own in PATH. */
function setup(program: string) {
  const folder = mkdtempSync(join(tmpdir(), "nexus-keep-"));
  const home = join(folder, "home $(touch pwned) 'x' 100%");
  const bin = join(folder, "bin");
  mkdirSync(join(home, "service"), { recursive: true });
  mkdirSync(bin);
  const table = join(folder, "crontab");
  const writeCrontab = (list: string) =>
    writeFileSync(
      join(bin, "crontab"),
      `#!/bin/sh\nif [ "$1" = -l ]; then ${list}; else cat >'${table}'; fi\n`,
      { mode: 0o755 },
    );
  writeCrontab(`cat '${table}' 2>/dev/null`);
  writeFileSync(table, "0 5 * * * other\n");
  const file = join(home, "service", "keep-running.sh");
  const command = ["sh", "-c", program, "agent", home];
  const env = { NEXUS_GPUS: "$(touch pwned)" };
  writeFileSync(file, keepRunningScript({ file, agentHome: home, command, env, finalExitCodes: "64 66 78" }));
  const tell = (act: string) => {
    const path = [bin, process.env.PATH].join(delimiter);
    return spawnSync("sh", [file, act], { cwd: folder, encoding: "utf8", env: { PATH: path } });
  };
  const run = (act: string) => {
    const ended = tell(act);
    expect([ended.status, ended.stderr]).toEqual([0, ""]);
  };
  onTestFinished(() => {
    run("stop");
    rmSync(folder, { recursive: true, force: true });
  });
  const read = (path: string) => (existsSync(path) ? readFileSync(path, "utf8") : "");
  const mendCron = () => {
    writeCrontab(`cat '${table}' 2>/dev/null`);
    rmSync(join(bin, "grep"), { force: true });
  };
  return {
    run,
    tell,
    mendCron,
    /** Without a fault of the table's it is grep that fails. */
    breakCron(fault: string) {
      mendCron();
      if (fault !== "") writeCrontab(fault);
      else writeFileSync(join(bin, "grep"), "#!/bin/sh\nexit 2\n", { mode: 0o755 });
    },
    writeLog: (text: string) => writeFileSync(join(home, "agent.log"), text),
    logBytes: () => read(join(home, "agent.log")).length,
    oldLog: () => read(join(home, "agent.log.old")),
    starts: () => read(join(home, "starts")).split("\n").filter(Boolean),
    held: () => read(join(home, "keep-running.pid")).trim(),
    cron: () => read(table),
    isHarmed: () => existsSync(join(folder, "pwned")) || existsSync(join(home, "pwned")),
  };
}

it("[E40] the loop starts the agent again when it ended, and ends it when it is stopped", async () => {
  const node = setup(
    'echo "$$ $NEXUS_GPUS" >>"$1/starts"; [ "$(wc -l <"$1/starts")" -lt 2 ] || exec sleep 600',
  );
  node.run("start");
  const [, second] = await eventually("two starts", () =>
    node.starts().length === 2 ? node.starts() : undefined,
  );
  const pid = Number(second?.split(" ")[0]);
  expect(second).toContain("$(touch pwned)");
  expect(node.cron()).toMatch(/^0 5 \* \* \* other\n@reboot sh '.*100\\%.*' start\n$/);
  node.run("start");
  await eventually("another agent in its place", () => (node.starts().length === 3 ? true : undefined));
  expect(() => process.kill(pid, 0)).toThrow();
  node.run("stop");
  const last = Number(node.starts()[2]?.split(" ")[0]);
  expect(() => process.kill(last, 0)).toThrow();
  expect([node.held(), node.cron()]).toEqual(["", "0 5 * * * other\n"]);
  expect(node.isHarmed()).toBe(false);
});

it("[E40] after a final refusal the loop ends", async () => {
  const node = setup('echo "$$" >>"$1/starts"; exit 78');
  node.run("start");
  await eventually("a start, and no loop", () =>
    node.starts().length === 1 && node.held() === "" ? true : undefined,
  );
});

it("[E40] a crontab that cannot be read is left as it is", async () => {
  const node = setup("exec sleep 600");
  for (const fault of ['echo "you (ada) are not allowed to use this program" >&2; exit 1', ""]) {
    node.breakCron(fault);
    expect(node.tell("start").stderr).toContain("the crontab is left as it is");
    expect(node.tell("stop").stderr).toContain("the crontab is left as it is");
    expect(node.cron()).toBe("0 5 * * * other\n");
  }
  node.breakCron('echo "no crontab for ada" >&2; exit 1');
  node.run("start");
  expect(node.cron()).toMatch(/^@reboot sh .* start\n$/);
  node.mendCron();
});

it("[E40] the log of the loop is bounded: its newest half stays beside it", async () => {
  const node = setup("exec sleep 600");
  node.writeLog(`${"old line\n".repeat(2_000_000)}the newest line\n`);
  node.run("start");
  await eventually("a short log", () => (node.logBytes() < 1_000_000 ? true : undefined));
  expect(node.oldLog()).toMatch(/the newest line\n$/);
  expect(node.oldLog().length).toBe(8 * 1024 * 1024);
});
