/**
 * An agent of its own process, to be killed. Reads one JSON command a line, answers each with one line, and reports events
 * in lines between. With `dieAt` it kills itself, as `kill -9` would, when that step is reached.
 */
import { createInterface } from "node:readline";
import type { JobStart } from "@nexus/shared/protocol/messages";
import { createSupervisor, type Step } from "../supervisor.ts";
import { BASE_ENV } from "./test-home.ts";

export type AgentSetup = { home: string; dieAt: Step | null };
export type AgentCommand =
  | { do: "start"; jobs: JobStart[] }
  | { do: "stop"; attempt: string; graceMs: number }
  | { do: "forget"; attempts: string[] };

const setup: AgentSetup = JSON.parse(process.argv[2] ?? "{}");
const supervisor = await createSupervisor({
  home: setup.home,
  baseEnv: BASE_ENV,
  lookEveryMs: 50,
  onEvents: (events) => say({ events }),
  onStep(step) {
    if (step === setup.dieAt) process.kill(process.pid, "SIGKILL");
  },
});
say({ ready: true });

for await (const line of createInterface({ input: process.stdin })) {
  const command: AgentCommand = JSON.parse(line);
  if (command.do === "start") say({ answers: await supervisor.start(command.jobs) });
  if (command.do === "stop")
    supervisor.stop(command.attempt, { reason: "cancelled", graceMs: command.graceMs });
  if (command.do === "forget") {
    await supervisor.forget(command.attempts);
    say({ forgotten: true });
  }
}

function say(message: object): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}
