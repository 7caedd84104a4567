import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { NexusError } from "@nexus/shared/errors";

/** Builds what changed; turbo knows what did. Its words are shown only when it fails. */
export async function build(root: string): Promise<void> {
  const turbo = join(root, "node_modules", ".bin", "turbo");
  const child = spawn(turbo, ["run", "build", "--output-logs=errors-only", "--no-color"], {
    cwd: root,
    // NODE_ENV of the shell would make another build, and another cache entry.
    env: { ...process.env, NODE_ENV: "production", CI: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (bytes: Buffer) => {
      output += bytes.toString();
    });
  const [code] = await once(child, "close");
  if (code !== 0) throw new NexusError("internal", { detail: `The build failed:\n${output.trim()}` });
}
