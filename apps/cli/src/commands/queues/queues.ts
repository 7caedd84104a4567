import type { Command } from "commander";
import type { Cli } from "../../cli.ts";
import { addQueuesList } from "./list.ts";
import { addQueuesPause } from "./pause.ts";
import { addQueuesPut } from "./put.ts";
import { addQueuesRemove } from "./remove.ts";

export function addQueues(program: Command, cli: Cli): void {
  const queues = program.command("queues").description("the team's lines of jobs: limits, places, pauses");
  addQueuesList(queues, cli);
  addQueuesPut(queues, cli);
  addQueuesPause(queues, cli);
  addQueuesRemove(queues, cli);
}
