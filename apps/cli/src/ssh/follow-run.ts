/** Shows work over SSH as it happens, asks what the person must decide, and says at the end what became of every machine. */
import type { SshLine, SshRun, SshRunHost } from "@nexus/shared/api/ssh";
import { NexusError } from "@nexus/shared/errors";
import type { Api } from "../api/api.ts";
import { type Cli, note, print } from "../cli.ts";
import { askLine } from "../terminal/ask.ts";
import type { Ink } from "../terminal/paint.ts";
import { plain, plainJson } from "../terminal/plain.ts";
import { startSpinner } from "../terminal/spinner.ts";
import { type Cell, tableLines } from "../terminal/table.ts";

const WAIT_MS = 20_000;
/** Of the sign, the step and the blanks between. */
const STEP_INDENT = 12;
const EXIT_SOME_FAILED = 1;
const EXIT_INTERRUPTED = 130;

const MARKS: Record<SshLine["level"], { icon: string; ink: Ink }> = {
  info: { icon: " ", ink: "dim" },
  done: { icon: "✓", ink: "green" },
  skip: { icon: "–", ink: "dim" },
  warn: { icon: "!", ink: "yellow" },
  fix: { icon: "→", ink: "cyan" },
  error: { icon: "✗", ink: "red" },
};

const RESULTS: Record<SshRunHost["state"], { text: string; ink: Ink }> = {
  waiting: { text: "· waiting", ink: "dim" },
  working: { text: "◔ working", ink: "cyan" },
  asking: { text: "? asking", ink: "yellow" },
  done: { text: "✓ done", ink: "green" },
  failed: { text: "✗ failed", ink: "red" },
  cancelled: { text: "○ cancelled", ink: "yellow" },
};

/** A machine that was named and could not be begun with. */
export type LeftOut = { machine: string; why: string };

type Following = { id: string; isJson: boolean; leftOut?: readonly LeftOut[] };

export async function followRun(cli: Cli, api: Api, { id, isJson, leftOut = [] }: Following): Promise<void> {
  let after = 0;
  const onInterrupt = () => {
    note(cli, "\nCancelling; what was done stays done, and the same command goes on from there.");
    cli.exitCode = EXIT_INTERRUPTED;
    void api.call("ssh.cancel", { id }).catch(() => process.exit(EXIT_INTERRUPTED));
    process.once("SIGINT", () => process.exit(EXIT_INTERRUPTED));
  };
  process.once("SIGINT", onInterrupt);
  try {
    for (;;) {
      const run = await nextOf(cli, api, { id, after });
      for (const line of run.lines) show(cli, run, { line, isJson });
      after = run.lines.at(-1)?.seq ?? after;
      for (const host of run.hosts)
        if (host.question !== null) await ask(cli, api, { id, host, question: host.question });
      if (run.ended) {
        finish(cli, run, { isJson, leftOut });
        return;
      }
    }
  } finally {
    process.off("SIGINT", onInterrupt);
  }
}

async function nextOf(cli: Cli, api: Api, { id, after }: { id: string; after: number }): Promise<SshRun> {
  const spinner = startSpinner(cli.stderr, "Working (Ctrl-C cancels)");
  try {
    return await api.callAgain("ssh.read", { id, after, waitMs: WAIT_MS });
  } finally {
    spinner.stop();
  }
}

function show(cli: Cli, run: SshRun, { line, isJson }: { line: SshLine; isJson: boolean }): void {
  const address = run.hosts[line.host]?.address ?? "";
  if (isJson) {
    print(cli, plainJson({ type: "line", address, ...line }));
    return;
  }
  const { icon, ink } = MARKS[line.level];
  const whose = run.hosts.length > 1 ? `${cli.paintErr("dim", plain(address))}  ` : "";
  const [first = "", ...rest] = line.text.split("\n");
  note(cli, `${whose}${cli.paintErr(ink, icon)} ${cli.paintErr("dim", line.step.padEnd(9))} ${plain(first)}`);
  for (const more of rest) note(cli, `${whose}${" ".repeat(STEP_INDENT)}${plain(more)}`);
}

/** What the lines above say in full. */
function summaryOf(message: string): string {
  const [first = "", ...rest] = message.split("\n");
  return plain(rest.length > 0 ? `${first.replace(/:$/, "")} (why stands above).` : first);
}

type Asking = { id: string; host: SshRunHost; question: NonNullable<SshRunHost["question"]> };

async function ask(cli: Cli, api: Api, { id, host, question }: Asking): Promise<void> {
  const { name, type, fingerprint } = question;
  note(cli, `\n${plain(name)} is new here. It shows the ${plain(type)} key`);
  note(cli, `  ${cli.paintErr("bold", plain(fingerprint))}`);
  note(cli, "Compare it on the machine: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub");
  const answer = await askLine(cli, "Is it the machine's own? [y/N] ");
  const accept = /^y(es)?$/i.test(answer);
  try {
    await api.call("ssh.answer", { id, host: host.index, fingerprint, accept });
  } catch (error) {
    // Somebody else answered, or the machine did not wait: the run says what became of it.
    if (!(error instanceof NexusError && error.code === "conflict")) throw error;
    note(cli, "The question was settled meanwhile.");
  }
}

function finish(
  cli: Cli,
  run: SshRun,
  { isJson, leftOut }: { isJson: boolean; leftOut: readonly LeftOut[] },
): void {
  const failed = run.hosts.filter(({ state }) => state !== "done");
  if (failed.length > 0 && cli.exitCode === 0) cli.exitCode = EXIT_SOME_FAILED;
  if (isJson) {
    print(cli, plainJson({ type: "result", hosts: run.hosts, leftOut }));
    return;
  }
  if (run.hosts.length === 1 && leftOut.length === 0) {
    const [host] = run.hosts;
    if (host?.state === "done") print(cli, `${cli.paint("green", "✓")} ${plain(host.message ?? "done")}`);
    else
      note(
        cli,
        `${cli.paintErr("red", "✗")} ${plain(host?.address ?? "")}: ${summaryOf(host?.message ?? "failed")}`,
      );
    return;
  }
  note(cli, "");
  const rows = run.hosts.map((host): Cell[] => [
    host.address,
    RESULTS[host.state],
    host.target?.name ?? "",
    host.state === "done" ? "" : summaryOf(host.message ?? ""),
  ]);
  for (const { machine, why } of leftOut)
    rows.push([machine, { text: "– left out", ink: "yellow" }, "", why]);
  const columns = [
    { title: "MACHINE", cutTo: 12 },
    { title: "RESULT" },
    { title: "TARGET" },
    { title: "WHY", cutTo: 20 },
  ];
  print(cli, tableLines(columns, rows, { paint: cli.paint, columns: cli.columns }));
  note(
    cli,
    `${run.hosts.length - failed.length} of ${run.hosts.length + leftOut.length} done. The same command tries the rest again.`,
  );
}
