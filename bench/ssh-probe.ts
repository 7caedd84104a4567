import { readFileSync } from "node:fs";
import { createConnector, type SshTarget } from "@nexus/ssh/connect-target";
import { memoryHostKeys } from "@nexus/ssh/host-keys/host-key-store";
import { createHostKeyVerifier } from "@nexus/ssh/host-keys/host-key-verifier";
import { hostKeyName, parseKnownHosts } from "@nexus/ssh/host-keys/known-hosts";
import { formatPublicKey } from "@nexus/ssh/host-keys/public-key";
import { createPool } from "@nexus/ssh/pool";
import type { BenchSshd } from "./peers/start-sshd.ts";

/**
 * Nexus' SSH in a process of its own, as it is on a control plane: the bench is larger, and its memory would be measured
 * with it. Prints its samples as JSON: milliseconds, MB/s or MiB.
 */
const [what = "", count = "0", place = "{}"] = process.argv.slice(2);
const sshd: BenchSshd = JSON.parse(place);
const connector = createConnector({ programs: { env: {} }, nowMs: () => Date.now() });
const pool = createPool({ connector, nowMs: () => Date.now(), connectionsMax: 1000 });
const keyText = readFileSync(sshd.keyFile, "utf8");

function targetOf(host: string): SshTarget {
  const name = hostKeyName(host, sshd.port);
  const knownHosts = parseKnownHosts(`${name} ${formatPublicKey(sshd.hostKey)}`);
  return {
    id: host,
    user: sshd.user,
    credentials: { keys: [{ label: "bench", text: keyText }] },
    verifier: createHostKeyVerifier({ name, store: memoryHostKeys(), knownHosts, by: "bench" }),
    transports: [{ kind: "direct", host, port: sshd.port }],
    ciphers: ["aes128-gcm@openssh.com"],
  };
}

const hosts = (many: number, from = 0) =>
  Array.from({ length: many }, (_, n) => targetOf(`127.0.0.${from + n + 1}`));

async function runTrue(target: SshTarget): Promise<void> {
  const child = await pool.exec(target, { argv: ["true"] });
  child.stdout.resume();
  child.stderr.resume();
  const { code } = await child.exited;
  if (code !== 0) throw new Error(`true ended with ${code}`);
}

async function timed(act: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await act();
  return performance.now() - started;
}

async function measure(): Promise<number[]> {
  const samples: number[] = [];
  const [first = targetOf("127.0.0.1")] = hosts(1);
  switch (what) {
    case "cold":
      for (const target of hosts(Number(count))) samples.push(await timed(() => runTrue(target)));
      return samples;
    case "pooled":
      await runTrue(first);
      for (let n = 0; n < Number(count); n += 1) samples.push(await timed(() => runTrue(first)));
      return samples;
    case "fan-out": {
      const all = hosts(Number(count));
      await Promise.all(all.map(runTrue));
      for (let round = 0; round < 5; round += 1)
        samples.push(await timed(() => Promise.all(all.map(runTrue))));
      return samples;
    }
    case "memory": {
      // The first connections bring code and pools of buffers that all others share.
      for (const target of hosts(20)) await runTrue(target);
      const before = settledRssMib();
      for (const target of hosts(Number(count), 100)) await runTrue(target);
      return [(settledRssMib() - before) / Number(count)];
    }
    case "stdout": {
      await runTrue(first);
      const mib = Number(count);
      const ms = await timed(async () => {
        const child = await pool.exec(first, {
          argv: ["head", "-c", String(mib * 1024 * 1024), "/dev/zero"],
        });
        child.stderr.resume();
        let bytes = 0;
        // By events: an async iterator of a stream joins what has piled up, which halves the rate.
        await new Promise((resolve) => {
          child.stdout.on("data", (chunk: Buffer) => {
            bytes += chunk.length;
          });
          child.stdout.once("end", resolve);
        });
        if (bytes !== mib * 1024 * 1024) throw new Error(`${bytes} bytes came`);
      });
      return [(mib * 1.048576) / (ms / 1000)];
    }
    default:
      throw new Error(`what is ${what}?`);
  }
}

function settledRssMib(): number {
  for (let round = 0; round < 3; round += 1) globalThis.gc?.();
  return process.memoryUsage.rss() / 1024 / 1024;
}

process.stdout.write(JSON.stringify(await measure()));
await pool.close();
process.exit(0);
