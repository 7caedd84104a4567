/** Brings the agent's file, and a Node where the machine has none, into `~/.nexus-agent/kit`. Whole or not at all; goes on after a cut. */
import { runScript } from "@nexus/ssh/exec/run-remote";
import type { SshSession } from "@nexus/ssh/session";
import { openSftp, type SftpClient } from "@nexus/ssh/sftp/sftp-client";
import { uploadFile } from "@nexus/ssh/sftp/transfer";
import type { MachinePlan } from "../../core/ssh/judge-machine.ts";
import type { FoundKit } from "./examine-machine.ts";
import { heedSignal } from "./heed-signal.ts";
import type { AgentKit, KitFile } from "./ssh-context.ts";

/** How the agent is run on the machine. */
export type RemoteAgent = { nodePath: string; scriptPath: string };

export type CopyOptions = {
  home: string;
  plan: MachinePlan;
  found: FoundKit;
  kit: AgentKit;
  tell(level: "info" | "done" | "skip", text: string): void;
  signal: AbortSignal;
};

const PROGRESS_EVERY_MS = 2_000;
const UNPACK_MS = 120_000;
const MIB = 1024 * 1024;

/** What arrived is what was sent, or it is thrown away. `$1` folder, `$2` packed, `$3` unpacked checksum. */
const UNPACK = `
set -eu
cd "$1"
sum() { if command -v sha256sum >/dev/null 2>&1; then sha256sum; else shasum -a 256; fi | cut -d' ' -f1; }
if [ "$(sum <node.gz)" != "$2" ]; then rm -f node.gz; echo "the Node did not arrive as it was sent" >&2; exit 1; fi
gzip -dc node.gz >node.new
if [ "$(sum <node.new)" != "$3" ]; then rm -f node.new; echo "the Node did not unpack as it was packed" >&2; exit 1; fi
chmod 700 node.new
mv node.new node
rm -f node.gz
`;

const CHECK = `
set -eu
cd "$1"
sum() { if command -v sha256sum >/dev/null 2>&1; then sha256sum; elif command -v shasum >/dev/null 2>&1; then shasum -a 256; else echo "$2"; fi | cut -d' ' -f1; }
if [ "$(sum - "$2" <nexus-agent.new.js)" != "$2" ]; then rm -f nexus-agent.new.js; echo "the agent did not arrive as it was sent" >&2; exit 1; fi
mv nexus-agent.new.js nexus-agent.js
printf '{"type":"module"}\\n' >package.json
`;

export async function copyAgent(session: SshSession, options: CopyOptions): Promise<RemoteAgent> {
  const { home, plan, found, kit, tell, signal } = options;
  const folder = `${home}/.nexus-agent/kit`;
  const agent = { nodePath: plan.nodePath ?? `${folder}/node`, scriptPath: `${folder}/nexus-agent.js` };
  const script = await heedSignal(kit.script(), signal);
  let sftp: SftpClient | undefined;
  try {
    if (found.scriptSha256 === script.sha256) tell("skip", `The agent ${script.version} is there already.`);
    else {
      sftp = await openSftp(session);
      await upload(sftp, { file: script, to: `${folder}/nexus-agent.new.js` }, options);
      const check = { what: "checking the agent", text: CHECK, args: [folder, script.sha256] };
      await runScript(session, check, { signal, timeoutMs: UNPACK_MS });
      tell("done", `Copied the agent ${script.version} (${sizeText(script.bytes)}).`);
    }
    if (plan.nodePath === null) {
      const node = await heedSignal(kit.node(plan.machine), signal);
      if (found.nodeSha256 === node.unpackedSha256) tell("skip", `Node ${node.version} is there already.`);
      else {
        sftp ??= await openSftp(session);
        const resumedAtBytes = await upload(sftp, { file: node, to: `${folder}/node.gz` }, options);
        const args = [folder, node.sha256, node.unpackedSha256];
        await runScript(
          session,
          { what: "unpacking Node", text: UNPACK, args },
          { signal, timeoutMs: UNPACK_MS },
        );
        const resumed = resumedAtBytes > 0 ? `, going on after ${sizeText(resumedAtBytes)}` : "";
        tell("done", `Copied Node ${node.version} (${sizeText(node.bytes)}${resumed}); checksums agree.`);
      }
    }
  } finally {
    sftp?.end();
  }
  const proof = {
    what: "starting the agent",
    text: 'exec "$1" "$2" --version',
    args: [agent.nodePath, agent.scriptPath],
  };
  const version = await runScript(session, proof, { signal, timeoutMs: UNPACK_MS });
  tell("info", `It runs: nexus-agent ${version.trim()}`);
  return agent;
}

async function upload(
  sftp: SftpClient,
  { file, to }: { file: KitFile; to: string },
  { tell, signal }: CopyOptions,
): Promise<number> {
  let toldAtMs = performance.now();
  const { resumedAtBytes } = await uploadFile(
    sftp,
    { from: file.path, to },
    {
      signal,
      mode: 0o600,
      onProgress({ doneBytes, totalBytes }) {
        if (performance.now() - toldAtMs < PROGRESS_EVERY_MS) return;
        toldAtMs = performance.now();
        tell("info", `${sizeText(doneBytes)} of ${sizeText(totalBytes)}`);
      },
    },
  );
  return resumedAtBytes;
}

function sizeText(bytes: number): string {
  return bytes < MIB ? `${Math.ceil(bytes / 1024)} KiB` : `${Math.round(bytes / MIB)} MiB`;
}
