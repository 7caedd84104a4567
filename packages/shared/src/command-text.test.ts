import { expect, it } from "vitest";
import { commandText } from "./command-text.ts";

it("commands are quoted where a shell needs it", () => {
  expect(commandText(["sh", "-c", "echo 'a b'", "--x=1", ""])).toBe(`sh -c 'echo '\\''a b'\\''' --x=1 ''`);
});
