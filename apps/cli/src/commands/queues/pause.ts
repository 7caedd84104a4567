import type { Command } from "commander";
import { connect } from "../../api/connect.ts";
import { type Cli, print } from "../../cli.ts";
import { countText } from "../../terminal/amounts.ts";
import { plain, plainJson } from "../../terminal/plain.ts";
import { addExamples, addJsonOption } from "../common-options.ts";

/** `pause` and `resume`. */
export function addQueuesPause(queues: Command, cli: Cli): void {
  const pause = queues
    .command("pause")
    .description("start no more jobs of a queue; what runs goes on")
    .argument("<queue>", "its name");
  addExamples(pause, [["nexus queues pause night", "until it is resumed"]]);
  addJsonOption(pause).action((name: string, options: { json?: boolean }) => set(name, true, options));
  const resume = queues.command("resume").description("let a queue go on").argument("<queue>", "its name");
  addExamples(resume, [["nexus queues resume night", "its jobs start again, in their order"]]);
  addJsonOption(resume).action((name: string, options: { json?: boolean }) => set(name, false, options));

  async function set(name: string, paused: boolean, options: { json?: boolean }): Promise<void> {
    const { api } = await connect(cli);
    const queue = await api.call("queues.put", { name, paused, only: "existing" });
    if (options.json) {
      print(cli, plainJson({ queue }, 2));
      return;
    }
    const { running, queued } = queue;
    print(
      cli,
      paused
        ? `${plain(name)} is paused; ${countText(running, "job")} of it still ${running === 1 ? "runs" : "run"}`
        : `${plain(name)} goes on; ${countText(queued, "job")} ${queued === 1 ? "waits" : "wait"} in it`,
    );
  }
}
