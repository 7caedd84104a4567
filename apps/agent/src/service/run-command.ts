import { spawn } from "node:child_process";
import { once } from "node:events";
import { NexusError } from "@nexus/shared/errors";

/** Runs a system's own command. @throws NexusError with what it said. */
export async function runCommand(argv: string[]): Promise<void> {
  const [program = "", ...args] = argv;
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (bytes: Buffer) => {
      said += bytes.toString();
    });
  }
  const code = await once(child, "close").then(
    ([status]) => status as number | null,
    (error: Error) => {
      said = error.message;
      return -1;
    },
  );
  if (code === 0) return;
  throw new NexusError("unavailable", {
    detail: `"${argv.join(" ")}" failed: ${said.trim() || `exit code ${code}`}`,
  });
}
