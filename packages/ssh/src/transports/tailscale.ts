import { execFile } from "node:child_process";
import { promisify } from "node:util";
import * as z from "zod";
import { SshError } from "../ssh-error.ts";
import type { TransportPrograms } from "./transport.ts";

const run = promisify(execFile);
const STATUS_BYTES_MAX = 1024 * 1024;

/** Of `tailscale status --json`, as its source `ipnstate.Status` has it. */
const statusSchema = z.object({ BackendState: z.string(), TUN: z.boolean().default(true) });

/** Without arguments it only tells how it is called. */
export const tailscaleProgram = ({ tailscalePath }: TransportPrograms): string =>
  tailscalePath ?? "tailscale";

/**
 * How this machine is in its tailnet: `tun` has a network device, so that its addresses can be dialled as any other; in `userspace`
 * only the daemon reaches them.
 * @throws SshError when it is in none, with what to do; another transport may be tried then.
 */
export async function readTailscaleMode(
  programs: TransportPrograms,
  signal: AbortSignal,
): Promise<"tun" | "userspace"> {
  const options = { env: { ...programs.env } as NodeJS.ProcessEnv, signal, maxBuffer: STATUS_BYTES_MAX };
  // It ends with 1 where the daemon is stopped, and says so on standard output all the same.
  const said = await run(tailscaleProgram(programs), ["status", "--json", "--peers=false"], options).catch(
    (error: NodeJS.ErrnoException & { stdout?: string; stderr?: string }) => {
      if (signal.aborted) throw signal.reason;
      if (error.code === "ENOENT")
        throw new SshError("unreachable", "Tailscale is not installed on the machine that connects.", error);
      return { stdout: error.stdout ?? "", stderr: error.stderr || error.message };
    },
  );
  return modeOf(said);
}

function modeOf({ stdout, stderr }: { stdout: string; stderr: string }): "tun" | "userspace" {
  const read = statusSchema.safeParse(parsed(stdout));
  if (!read.success) {
    const words = stderr.trim().split("\n")[0] ?? "";
    throw new SshError("unreachable", `Tailscale does not tell its status: ${words || "no answer"}`);
  }
  const { BackendState: state, TUN: hasDevice } = read.data;
  if (state !== "Running" && state !== "Starting") {
    throw new SshError(
      "unreachable",
      `Tailscale is not up on the machine that connects (${state}). There: tailscale up`,
    );
  }
  return hasDevice ? "tun" : "userspace";
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
