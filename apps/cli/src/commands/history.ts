import type { Job } from "@nexus/shared/api/schemas";
import { commandText } from "@nexus/shared/command-text";
import { NexusError } from "@nexus/shared/errors";
import type { Command } from "commander";
import type { Api } from "../api/api.ts";
import { connect } from "../api/connect.ts";
import { type Cli, print } from "../cli.ts";
import { jobTable } from "../jobs/job-table.ts";
import { parseCount, within } from "../terminal/parse-amounts.ts";
import { plainJson } from "../terminal/plain.ts";
import { withSpinner } from "../terminal/spinner.ts";
import { addCommonOptions, addExamples, type CommonOptions } from "./common-options.ts";

const SHOWN_DEFAULT = 20;
const PAGE = 500;
/** A pattern that matches little looks through this many jobs and no further. */
const SCANNED_MAX = 20_000;

type HistoryOptions = CommonOptions & { limit?: string; mine?: boolean };

export function addHistory(program: Command, cli: Cli): void {
  const command = program
    .command("history")
    .description("jobs of the past, newest first")
    .argument("[regex]", "only those whose id, name, user or command matches")
    .option("-n, --limit <n>", `show at most this many (default: ${SHOWN_DEFAULT})`)
    .option("--mine", "only my own");
  addExamples(command, [
    ["nexus history -n 50 --mine", "your own last 50"],
    ["nexus history 'train.*llama' -t gpu1", "what matches, on one machine"],
  ]);
  addCommonOptions(command).action(async (pattern: string | undefined, options: HistoryOptions) => {
    await showHistory(cli, pattern, options);
  });
}

async function showHistory(cli: Cli, pattern: string | undefined, options: HistoryOptions): Promise<void> {
  const limit =
    options.limit === undefined
      ? SHOWN_DEFAULT
      : within(parseCount(options.limit, "--limit"), "--limit", { min: 1, max: SCANNED_MAX });
  const isFiltered = pattern !== undefined || options.target !== undefined || options.mine === true;
  const matches = toMatcher(pattern);
  const { api } = await connect(cli);
  const filter = {
    ...(options.target === undefined ? {} : { target: options.target }),
    ...(options.mine ? { user: "me" } : {}),
  };
  const jobs = await withSpinner(cli.stderr, "Looking", collect(api, { filter, matches, limit }));
  if (jobs.length === 0 && options.target !== undefined)
    await api.call("targets.get", { target: options.target });
  if (options.json) print(cli, plainJson({ jobs }, 2));
  else if (jobs.length > 0) print(cli, jobTable(cli, jobs));
  else print(cli, isFiltered ? "No job matches." : "No jobs yet. Run one: nexus run -- hostname");
}

type Search = { filter: { target?: string; user?: string }; matches: (job: Job) => boolean; limit: number };

async function collect(api: Api, { filter, matches, limit }: Search): Promise<Job[]> {
  const found: Job[] = [];
  let cursor: string | undefined;
  for (let scanned = 0; scanned < SCANNED_MAX && found.length < limit; scanned += PAGE) {
    const page = await api.call("jobs.list", {
      ...filter,
      limit: PAGE,
      ...(cursor === undefined ? {} : { cursor }),
    });
    found.push(...page.jobs.filter(matches));
    if (page.next === null) break;
    cursor = page.next;
  }
  return found.slice(0, limit);
}

function toMatcher(pattern: string | undefined): (job: Job) => boolean {
  if (pattern === undefined) return () => true;
  let regex: RegExp;
  try {
    regex = new RegExp(pattern, "i");
  } catch (cause) {
    throw new NexusError("bad_request", { detail: `"${pattern}" is no regular expression.`, cause });
  }
  return (job) =>
    [job.id, job.name ?? "", job.user.name, commandText(job.command)].some((text) => regex.test(text));
}
