/** An agent as a program: all of the real one, on a simulated machine. */
import { createAgent } from "../../../apps/agent/src/agent.ts";
import { createNoneDriver } from "../../../apps/agent/src/gpu/driver.ts";
import { createSimulatedDriver } from "../../../apps/agent/src/gpu/simulated.ts";
import { readGeneration } from "../../../apps/agent/src/link/generation-file.ts";
import { publicKeyOf } from "../stand-ins/ed25519.ts";
import { ORIGIN, SERVER_SEED } from "./control-plane.ts";
import { kernel, monotonicMs, type Program } from "./kernel.ts";
import { type Machine, startProgram } from "./machine.ts";

export type NodeIdentity = { nodeId: string; name: string; seed: string; gpus: number; gpuMemoryMib: number };

const HOME = "/home/nexus/.nexus";
/** What the service manager takes for an answer; after anything else it starts the agent again. */
const FINAL = ["node_revoked", "node_cloned"];
const ENV = { PATH: "/usr/bin:/bin", HOME: "/home/nexus" };

/** What an installation leaves on the disk. */
export function install(machine: Machine): void {
  machine.disk.makeFolder(HOME, true);
  machine.disk.settle();
}

/** @param onFinal it was told for good to end. */
export function startAgent(
  machine: Machine,
  { identity, onFinal }: { identity: NodeIdentity; onFinal(): void },
): Program {
  const program = startProgram(`agent-${machine.name}`, machine);
  const { after, random, note } = kernel();
  after(random.delayMs(30), program, () => {
    run().catch((error: unknown) => {
      if (!program.isAlive) return;
      // As the process does: it says why, and ends; the service manager starts it again.
      note(`${program.name} cannot run: ${String(error).slice(0, 120)}`);
      kernel().kill(program);
    });
  });
  return program;

  async function run(): Promise<void> {
    const generation = await readGeneration(HOME);
    const { gpus, gpuMemoryMib, seed } = identity;
    const nowMs = () => monotonicMs(machine);
    const driver =
      gpus === 0
        ? createNoneDriver(null)
        : createSimulatedDriver({
            count: gpus,
            model: null,
            memoryMib: gpuMemoryMib,
            seed,
            nowMs,
            intervalMs: 5_000,
          });
    const agent = await createAgent({
      home: HOME,
      identity: {
        version: 1,
        nodeId: identity.nodeId,
        name: identity.name,
        team: "Lab",
        origin: ORIGIN,
        spkiPin: null,
        serverKey: publicKeyOf(SERVER_SEED),
        publicKey: publicKeyOf(seed),
        seed,
        enrolledAt: "2026-01-01T00:00:00Z",
      },
      generation,
      agentVersion: "1.0.0",
      bootId: machine.bootId,
      baseEnv: ENV,
      driver,
      onState: ({ name }) => note(`${program.name} is ${name}`),
      onTrouble: (message) => note(`${program.name} says: ${message.slice(0, 120)}`),
      onAttempts: () => undefined,
      nowMs,
      random: () => random.next(),
    });
    void agent.finished.then((problem) => {
      if (problem === null) return;
      note(`${program.name} ends for good: ${problem.code}`);
      if (FINAL.includes(problem.code)) onFinal();
      kernel().kill(program);
    });
    agent.start();
  }
}
