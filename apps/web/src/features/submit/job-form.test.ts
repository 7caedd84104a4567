import { speakInputWords } from "@nexus/shared/api/input-words";
import { describe, expect, it } from "vitest";
import { EMPTY_FORM, parseDuration, readForm } from "./job-form.ts";

speakInputWords();

const form = (change: Partial<typeof EMPTY_FORM>) => readForm({ ...EMPTY_FORM, ...change });

describe("submit form", () => {
  it("makes a job of it", () => {
    expect(
      form({
        command: "python train.py",
        env: [
          { id: 1, name: "SEED", value: "7" },
          { id: 2, name: "", value: "left empty" },
        ],
        gpus: "2",
        gpuMemoryGib: "40",
        timeout: "1h 30m",
        where: "labels",
        labels: "role=training fast",
      }).spec,
    ).toMatchObject({
      command: ["python", "train.py"],
      env: { SEED: "7" },
      gpus: 2,
      gpuMemoryMib: 40960,
      timeoutMs: 5_400_000,
      labels: { role: "training", fast: "" },
      queue: "default",
    });
  });

  it("leaves GPUs to the fleet's default when nothing is said", () => {
    expect(form({ command: "true" }).spec?.gpus).toBeUndefined();
  });

  it("[A40] says what is wrong in a field in a sentence of ours", () => {
    expect(form({ command: "true", priority: "5000" }).errors).toEqual({ priority: "Must be at most 1000." });
    expect(form({ command: "true", gpus: "-1" }).errors).toEqual({ gpus: "Must be at least 0." });
    expect(form({ command: "true", retryLost: "2", lostAfter: "1s" }).errors).toEqual({
      lostAfter: "A time from 10s to 30d, such as 10m.",
    });
    expect(form({ command: "true", retryLost: "many" }).errors).toEqual({ retryLost: "A whole number." });
    expect(form({ command: "true", retryLost: "2", lostAfter: "30m" }).spec?.retry).toEqual({
      ...{ on: ["lost"], attempts: 2, lostAfterMs: 1_800_000 },
    });
    expect(form({ command: "true", retryLost: "0", lostAfter: "?" }).spec?.retry).toBeUndefined();
    expect(form({ command: "true", timeout: "0s" }).errors).toEqual({ timeout: "From 1s to 366d." });
    expect(form({ command: "true", cwd: "here" }).errors?.cwd).toMatch(/^Begin it with \//);
    expect(form({ command: "true", env: [{ id: 1, name: "1A", value: "" }] }).errors?.env).toMatch(
      /^Not a name/,
    );
  });

  it("gives a script to a shell as it stands", () => {
    expect(form({ command: "a | b && $C", script: true }).spec?.command).toEqual(["sh", "-c", "a | b && $C"]);
  });

  it.each([
    ["a | b", true],
    ["echo $HOME", true],
    [`echo "$HOME"`, true],
    ["echo 'a | b'", false],
    [`echo "a && b"`, false],
    ["echo \\$HOME", false],
    ["cp a b > log", true],
    [`sh -c 'echo "$GREETING, $0"' reader`, false],
    [`sh -c "echo a; for i in 1 2; do echo tick $i; done"`, false],
    ['/bin/bash -e -lc "echo $HOME | wc"', false],
    [`sh -c "echo $1" x | wc`, true],
    [`sh train.sh "$HOME"`, true],
    [`echo "it's $HOME"`, true],
    ['echo "\\$HOME"', false],
  ])("%s needs a shell: %s", (command, needs) => {
    expect("command" in (form({ command }).errors ?? {})).toBe(needs);
  });

  it("says what is wrong beside the field", () => {
    const { errors } = form({
      command: " ",
      gpus: "two",
      timeout: "soon",
      where: "target",
    });
    expect(Object.keys(errors ?? {}).sort()).toEqual(["command", "gpus", "target", "timeout"]);
    expect(form({ command: "true", env: [{ id: 1, name: "1X", value: "" }] }).errors?.env).toBeDefined();
    expect(form({ command: "true", priority: "9999" }).errors?.priority).toBeDefined();
  });

  it.each([
    ["90s", 90_000],
    ["45", 2_700_000],
    ["1.5h", 5_400_000],
    ["2d 4h", 187_200_000],
    ["10min", 600_000],
    ["x", null],
    ["5 parsecs", null],
  ])("reads the time %s as %s ms", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });
});
