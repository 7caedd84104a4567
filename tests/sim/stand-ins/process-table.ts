/** In place of apps/agent/src/exec/process-table.ts: the processes of the simulated machine. */
import type { ProcessTable } from "../../../apps/agent/src/exec/process-row.ts";
import { kernel, monotonicMs } from "../world/kernel.ts";
import { machineOfProgram } from "../world/machine.ts";

export function openProcessTable(): ProcessTable {
  const machine = machineOfProgram();
  return {
    kind: "proc",
    startTimeOf(pid) {
      kernel().call();
      const program = [...machine.programs].find((one) => one.pid === pid);
      if (program !== undefined) return `program-${program.pid}`;
      return machine.processes.get(pid)?.startTime ?? null;
    },
    scan(since) {
      kernel().call();
      const sinceTicks = since === null ? 0 : Number(since);
      return [...machine.processes.values()].map(({ pid, startTime, group, session, attempt }) => ({
        pid,
        startTime,
        parent: 1,
        group,
        session,
        attempt: Number(startTime) >= sinceTicks ? attempt : null,
        outputs: [],
      }));
    },
    commandOf: (pid) => machine.processes.get(pid)?.words.join(" ") ?? "",
    running(prefix) {
      kernel().call();
      return [...machine.processes.values()]
        .filter(({ words }) => words.some((word) => word.startsWith(prefix)))
        .map(({ pid, session, words }) => ({ pid, session, words }));
    },
    uptimeMs: () => Math.floor(monotonicMs(machine) / 10) * 10,
  };
}

export function readBootId(): string {
  return machineOfProgram().bootId;
}
