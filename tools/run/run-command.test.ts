import { expect, test } from "vitest";
import { runCommand } from "./run-command.ts";

const node = (script: string) => [process.execPath, "-e", script];
const TIMEOUT_MS = 10_000;

test("a program's output and exit code come back", async () => {
  const argv = node(`console.log("out"); console.error("err"); process.exit(3)`);
  const ended = await runCommand({ argv, timeoutMs: TIMEOUT_MS, output: "keep" });
  expect(ended.exitCode).toBe(3);
  expect(ended.output.split("\n").sort()).toEqual(["", "err", "out"]);
});

test("a program that is not there counts as failed, and says so", async () => {
  const ended = await runCommand({ argv: ["no-such-program"], timeoutMs: TIMEOUT_MS, output: "keep" });
  expect(ended.exitCode).toBe(127);
  expect(ended.output).toContain("no-such-program did not start");
});

test("a program past its time is ended together with its children", async () => {
  const argv = ["sh", "-c", "sleep 600 & sleep 600; wait"];
  const ended = await runCommand({ argv, timeoutMs: 200, output: "keep" });
  expect(ended.exitCode).not.toBe(0);
  expect(ended.output).toContain("without a result");
});

test("there is no stdin to wait for", async () => {
  const ended = await runCommand({ argv: ["cat"], timeoutMs: TIMEOUT_MS, output: "keep" });
  expect(ended).toMatchObject({ exitCode: 0, output: "" });
});
