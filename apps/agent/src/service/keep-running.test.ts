import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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
  writeFileSync(
    join(bin, "crontab"),
    `#!/bin/sh\nif [ "$1" = -l ]; then cat '${table}' 2>/dev/null; else cat >'${table}'; fi\n`,
  );
  chmodSync(join(bin, "crontab"), 0o755);
  writeFileSync(table, "0 5 * * * other\n");
  const file = join(home, "service", "keep-running.sh");
  const command = ["sh", "-c", program, "agent", home];
  const env = { NEXUS_GPUS: "$(touch pwned)" };
  writeFileSync(file, keepRunningScript({ file, agentHome: home, command, env, finalExitCodes: "64 66 78" }));
  const run = (act: string) => {
    const path = [bin, process.env.PATH].join(delimiter);
    const ended = spawnSync("sh", [file, act], { cwd: folder, encoding: "utf8", env: { PATH: path } });
    expect([ended.status, ended.stderr]).toEqual([0, ""]);
  };
  onTestFinished(() => {
    run("stop");
    rmSync(folder, { recursive: true, force: true });
  });
  const read = (path: string) => (existsSync(path) ? readFileSync(path, "utf8") : "");
  return {
    run,
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
