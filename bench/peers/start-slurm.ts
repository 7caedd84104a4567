import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, hostname, userInfo } from "node:os";
import { join } from "node:path";
import { freePort } from "../../tests/harness/free-port.ts";
import type { Shared } from "../bench-case.ts";
import { runTimed } from "../run-timed.ts";

/** A Slurm of one node in a folder of its own: no service, no account database, loopback only. */
export type Slurm = { env: Record<string, string>; cores: number };

const READY_TRIES = 100;
const READY_POLL_MS = 200;

/**
 * With the settings under which Slurm is at its best for short jobs: no delay before a batch of jobs is planned, and an
 * Epilog, whose end wakes the planner at once (without one it sleeps up to a second).
 */
export async function startSlurm(parent: string): Promise<Shared<Slurm>> {
  const folder = mkdtempSync(join(parent, "slurm-"));
  for (const name of ["state", "spool"]) mkdirSync(join(folder, name));
  const cores = availableParallelism();
  const conf = join(folder, "slurm.conf");
  writeFileSync(conf, settings({ folder, cores, ports: [await freePort(), await freePort()] }));
  const env = { SLURM_CONF: conf };
  const daemons = [
    startDaemon(["slurmctld", "-D"], folder, env),
    startDaemon(["slurmd", "-D", "-N", nodeName()], folder, env),
  ];
  const close = async () => {
    for (const { child } of daemons.reverse()) await end(child);
  };
  try {
    await becomeIdle(env, daemons);
  } catch (cause) {
    await close();
    throw cause;
  }
  return { value: { env, cores }, close };
}

type Place = { folder: string; cores: number; ports: [number, number] };

function settings({ folder, cores, ports: [controlPort, nodePort] }: Place): string {
  const { username } = userInfo();
  return `
ClusterName=bench
SlurmctldHost=${nodeName()}(127.0.0.1)
SlurmUser=${username}
SlurmdUser=${username}
AuthType=auth/none
CredType=cred/none
SlurmctldPort=${controlPort}
SlurmdPort=${nodePort}
StateSaveLocation=${folder}/state
SlurmdSpoolDir=${folder}/spool
SlurmctldPidFile=${folder}/slurmctld.pid
SlurmdPidFile=${folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0
Epilog=/bin/true
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MaxArraySize=10001
NodeName=${nodeName()} NodeAddr=127.0.0.1 CPUs=${cores} State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
`;
}

type Daemon = { name: string; child: ChildProcess; log: string };

function startDaemon(argv: string[], folder: string, env: Record<string, string>): Daemon {
  const [name = "", ...args] = argv;
  const log = join(folder, `${name}.log`);
  const out = openSync(log, "a");
  const child = spawn(name, args, { env: { ...process.env, ...env }, stdio: ["ignore", out, out] });
  return { name, child, log };
}

/** The node is idle once the daemon on it has registered. */
async function becomeIdle(env: Record<string, string>, daemons: Daemon[]): Promise<void> {
  for (let tries = 0; tries < READY_TRIES; tries += 1) {
    const ended = daemons.find(({ child }) => child.exitCode !== null);
    if (ended) throw new Error(`${ended.name} ended: ${readFileSync(ended.log, "utf8").slice(-500)}`);
    const state = await runTimed(["sinfo", "-h", "-o", "%t"], env).catch(() => undefined);
    if (state?.stdout.trim() === "idle") return;
    await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS));
  }
  throw new Error(
    `Slurm's node did not become idle: ${daemons.map(({ log }) => readFileSync(log, "utf8")).join("\n")}`,
  );
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGTERM");
  await once(child, "exit");
}

function nodeName(): string {
  return hostname().split(".")[0] ?? "localhost";
}
