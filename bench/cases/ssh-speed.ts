import type { BenchCase, BenchContext, Sample } from "../bench-case.ts";
import { type BenchSshd, closeMaster, openMaster, startSshd, unlessSshd } from "../peers/start-sshd.ts";
import { runTimed, unlessInstalled } from "../run-timed.ts";

const COLD_RUNS = 10;
const POOLED_RUNS = 100;
const MUX_RUNS = 30;
const HOSTS = 100;
const STDOUT_MIB = 1024;
const CIPHER = "aes128-gcm@openssh.com";

const sshdOf = (ctx: BenchContext) => ctx.share("sshd", () => startSshd(ctx.folder));

async function probe(ctx: BenchContext, what: string, count: number): Promise<Sample[]> {
  const script = new URL("../ssh-probe.ts", import.meta.url).pathname;
  const sshd = JSON.stringify(await sshdOf(ctx));
  const { stdout } = await runTimed([process.execPath, "--expose-gc", script, what, String(count), sshd]);
  return JSON.parse(stdout);
}

async function times(count: number, act: (n: number) => Promise<{ seconds: number }>): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (let n = 0; n < count; n += 1) samples.push((await act(n)).seconds * 1000);
  return samples;
}

async function withMasters<T>(
  ctx: BenchContext,
  hosts: string[],
  act: (sshd: BenchSshd) => Promise<T>,
): Promise<T> {
  const sshd = await sshdOf(ctx);
  for (const host of hosts) openMaster(sshd, host);
  try {
    return await act(sshd);
  } finally {
    for (const host of hosts) closeMaster(sshd, host);
  }
}

const addresses = Array.from({ length: HOSTS }, (_, n) => `127.0.0.${n + 1}`);

export const sshSpeed: BenchCase[] = [
  {
    name: "peer: ssh, fresh connection and true",
    unit: "ms",
    absent: unlessSshd,
    async run(ctx) {
      const { sshConfig } = await sshdOf(ctx);
      return times(COLD_RUNS, () => runTimed(["ssh", "-F", sshConfig, "127.0.0.1", "true"]));
    },
  },
  {
    name: "Nexus ssh, fresh connection and true",
    unit: "ms",
    floor: "peer: ssh, fresh connection and true",
    absent: unlessSshd,
    run: (ctx) => probe(ctx, "cold", COLD_RUNS),
  },
  {
    name: "peer: ssh over an open ControlMaster, true",
    unit: "ms",
    absent: unlessSshd,
    run: (ctx) =>
      withMasters(ctx, ["127.0.0.1"], ({ sshConfig, folder }) =>
        times(MUX_RUNS, () =>
          runTimed(["ssh", "-F", sshConfig, "-S", `${folder}/mux-127.0.0.1`, "127.0.0.1", "true"]),
        ),
      ),
  },
  {
    name: "Nexus ssh, pooled, true",
    unit: "ms",
    floor: "peer: ssh over an open ControlMaster, true",
    absent: unlessSshd,
    run: (ctx) => probe(ctx, "pooled", POOLED_RUNS),
  },
  {
    name: "peer: pdsh over 100 open ControlMasters, true",
    unit: "ms",
    absent: () => unlessSshd() ?? unlessInstalled("pdsh", "pdsh"),
    run: (ctx) =>
      withMasters(ctx, addresses, ({ sshConfig, folder }) =>
        times(3, () =>
          runTimed(["pdsh", "-R", "ssh", "-f", "32", "-w", "127.0.0.[1-100]", "true"], {
            PDSH_SSH_ARGS_APPEND: `-F ${sshConfig} -S ${folder}/mux-%h`,
          }),
        ),
      ),
  },
  {
    name: "Nexus ssh, 100 pooled hosts, true",
    unit: "ms",
    floor: "peer: pdsh over 100 open ControlMasters, true",
    absent: unlessSshd,
    run: (ctx) => probe(ctx, "fan-out", HOSTS),
  },
  {
    name: `peer: ssh, 1 GiB of stdout, ${CIPHER}`,
    unit: "MB/s",
    absent: unlessSshd,
    async run(ctx) {
      const { sshConfig } = await sshdOf(ctx);
      const bytes = STDOUT_MIB * 1024 * 1024;
      // Counted and dropped by a program, as the probe does: its own pipe is part of the price.
      const command = `ssh -F ${sshConfig} -c ${CIPHER} 127.0.0.1 head -c ${bytes} /dev/zero | wc -c`;
      const { seconds } = await runTimed(["sh", "-c", command]);
      return [bytes / 1e6 / seconds];
    },
  },
  {
    name: `Nexus ssh, 1 GiB of stdout, ${CIPHER}`,
    unit: "MB/s",
    floor: `peer: ssh, 1 GiB of stdout, ${CIPHER}`,
    absent: unlessSshd,
    run: (ctx) => probe(ctx, "stdout", STDOUT_MIB),
  },
  {
    name: "Nexus ssh, memory of one of 100 connections",
    unit: "MiB",
    absent: unlessSshd,
    run: (ctx) => probe(ctx, "memory", HOSTS),
  },
];
