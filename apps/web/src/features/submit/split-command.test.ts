import { commandText } from "@nexus/shared/command-text";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { splitCommand } from "./split-command.ts";

describe("a command line as words", () => {
  it("takes quotes and backslashes as a shell does", () => {
    expect(splitCommand(`python train.py --name "my run" 'a b' c\\ d ""`)).toEqual([
      "python",
      "train.py",
      "--name",
      "my run",
      "a b",
      "c d",
      "",
    ]);
    expect(splitCommand(`echo "it's \\"5\\""`)).toEqual(["echo", `it's "5"`]);
    expect(splitCommand("  ")).toEqual([]);
    expect(splitCommand(`echo 'open`)).toBeNull();
  });

  it("reads back every command that the dashboard shows", () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { minLength: 1 }), (argv) => {
        expect(splitCommand(commandText(argv))).toEqual(argv);
      }),
    );
  });
});
