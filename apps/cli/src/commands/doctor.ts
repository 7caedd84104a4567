/** `nexus doctor`: what works between this machine, its control plane and the fleet, what does not, and what to do. */
import { NexusError } from "@nexus/shared/errors";
import type { Command } from "commander";
import { type Cli, print } from "../cli.ts";
import { type KnownServer, readServer } from "../config/cli-config.ts";
import { examineHere } from "../doctor/examine-here.ts";
import { examineServer } from "../doctor/examine-server.ts";
import { broken, doubtful, type Finding } from "../doctor/finding.ts";
import { countText } from "../terminal/amounts.ts";
import type { Ink } from "../terminal/paint.ts";
import { plain, plainJson } from "../terminal/plain.ts";
import { withSpinner } from "../terminal/spinner.ts";
import { displayWidth, fitWidth, wrapWidth } from "../terminal/width.ts";
import { addExamples, addJsonOption } from "./common-options.ts";

const WIDTH = 80;
const NAME_WIDTH_MAX = 16;
const TITLES = { here: "This machine", server: "Control plane", fleet: "Fleet" } as const;
const MARKS: Record<Finding["state"], { sign: string; ink: Ink }> = {
  ok: { sign: "✓", ink: "green" },
  warn: { sign: "!", ink: "yellow" },
  fail: { sign: "✗", ink: "red" },
};

export function addDoctor(program: Command, cli: Cli, version: string): void {
  const command = program
    .command("doctor")
    .description("look at this machine, its control plane and the fleet: what does not work, and what to do");
  addExamples(command, [
    ["nexus doctor", "works without a key, and while the control plane is down"],
    ["nexus doctor --json", "for scripts; ends with 1 when something does not work"],
  ]);
  addJsonOption(command).action((options: { json?: boolean }) => examine(cli, version, options));
}

async function examine(cli: Cli, version: string, { json }: { json?: boolean }): Promise<void> {
  const { server, problem } = await known(cli);
  const work = Promise.all([
    examineHere(cli, { problem, url: server?.url ?? null }),
    server === null ? [unknownServer(problem)] : examineServer(server, { version, nowMs: cli.nowMs }),
  ]);
  const findings = (await withSpinner(cli.stderr, "Looking", work)).flat();
  const fails = findings.filter(({ state }) => state === "fail").length;
  const warns = findings.filter(({ state }) => state === "warn").length;
  cli.exitCode = fails > 0 ? 1 : 0;
  if (json) {
    print(cli, plainJson({ ok: fails === 0, url: server?.url ?? null, findings }, 2));
    return;
  }
  const lines = Object.entries(TITLES).flatMap(([where, title]) => {
    const own = findings.filter((finding) => finding.where === where);
    return own.length === 0 ? [] : [cli.paint("bold", title), ...sectionLines(cli, own), ""];
  });
  const words = [
    ...(fails > 0 ? [`${countText(fails, "thing")} ${fails === 1 ? "does" : "do"} not work`] : []),
    ...(warns > 0 ? [`${countText(warns, "thing")} to look at`] : []),
  ];
  print(cli, [...lines, words.length === 0 ? "All is well." : `${words.join(", ")}.`]);
}

async function known(cli: Cli): Promise<{ server: KnownServer | null; problem: string | null }> {
  try {
    return { server: await readServer(cli), problem: null };
  } catch (cause) {
    if (!(cause instanceof NexusError)) throw cause;
    return { server: null, problem: cause.message };
  }
}

function unknownServer(problem: string | null): Finding {
  const place = { where: "server", what: "Address" } as const;
  if (problem !== null)
    return broken(place, "It is not known, since the settings cannot be read.", "See above");
  return doubtful(
    place,
    "This machine knows no Nexus server.",
    "Start one here with `npm run up`, or: nexus login https://nexus.example.com",
  );
}

function sectionLines(cli: Cli, findings: Finding[]): string[] {
  const names = findings.map(({ what }) => fitWidth(plain(what), NAME_WIDTH_MAX));
  const nameWidth = Math.max(...names.map(displayWidth));
  const indent = " ".repeat(nameWidth + 6);
  const room = Math.max(20, Math.min(cli.columns ?? WIDTH, WIDTH) - indent.length);
  return findings.flatMap(({ state, message, next }, at) => {
    const { sign, ink } = MARKS[state];
    const name = names[at] ?? "";
    const space = " ".repeat(nameWidth - displayWidth(name));
    const [first = "", ...rest] = wrapWidth(plain(message), room);
    const [todo = "", ...more] = next === null ? [] : wrapWidth(plain(next), room - 2);
    return [
      `  ${cli.paint(ink, sign)} ${name}${space}  ${first}`,
      ...rest.map((line) => indent + line),
      ...(next === null ? [] : [`${indent}→ ${todo}`, ...more.map((line) => `${indent}  ${line}`)]),
    ];
  });
}
