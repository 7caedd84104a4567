import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { LogSearchAnswer } from "@nexus/shared/api/log-search";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startCli, tempHome } from "../testing/run-cli.ts";
import { type StandIn, standInJob, startStandIn } from "../testing/stand-in-server.ts";

let server: StandIn;
let home: string;
let removeHome: () => void;

beforeEach(async () => {
  server = await startStandIn();
  ({ home, remove: removeHome } = tempHome());
  writeFileSync(
    join(home, "cli.json"),
    JSON.stringify({ servers: { default: { url: server.url, apiKey: "nxk_mine" } } }),
  );
  server.answers["jobs.get"] = () => standInJob();
});
afterEach(async () => {
  await server.close();
  removeHome();
});

const FOUND: LogSearchAnswer[] = [
  { type: "line", line: 3, offset: 20, text: "before", isContext: true },
  { type: "line", line: 4, offset: 27, text: "loss \u001b]0;title\u0007nan", at: [0, 4] },
  { type: "line", line: 9, offset: 90, text: "long", at: [0, 4], isCut: true },
];

function serverFinds(answers: LogSearchAnswer[]): void {
  server.log = (_req, res) => {
    res.end(answers.map((answer) => `${JSON.stringify(answer)}\n`).join(""));
  };
}

async function grep(...args: string[]) {
  const cli = startCli(["logs", standInJob().id, ...args], { home });
  return {
    code: await cli.exit,
    stdout: Buffer.from(cli.stdout(), "latin1").toString(),
    stderr: cli.stderr(),
  };
}

test("[L21] lines found are printed with their numbers, context with a dash, and nothing of them acts on a terminal", async () => {
  serverFinds([...FOUND, { type: "end", searchedTo: 99, matches: 2 }]);
  expect(await grep("--grep", "loss", "-i", "-C", "1", "-n", "50")).toEqual({
    code: 0,
    stdout: "3-before\n4:loss \\u001b]0;title\\u0007nan\n--\n9:long…\n",
    stderr: "",
  });
  const sent = { pattern: "loss", isFixed: false, ignoresCase: true, contextLines: 1, tail: 50 };
  expect(server.calls.at(-1)?.input).toEqual(sent);
});

test("[L21] a count is one number; what is not found ends with 1", async () => {
  serverFinds([{ type: "end", searchedTo: 99, matches: 12 }]);
  expect(await grep("--grep", "x", "-c")).toMatchObject({ code: 0, stdout: "12\n" });
  serverFinds([{ type: "end", searchedTo: 99, matches: 0 }]);
  expect(await grep("--grep", "x")).toMatchObject({ code: 1, stdout: "" });
});

test("[L21] a search that breaks off, or is refused in its midst, is never taken for a whole one", async () => {
  serverFinds(FOUND);
  const broken = await grep("--grep", "x");
  expect(broken.code).not.toBe(0);
  expect(broken.stderr).toContain("broke off before its end");
  serverFinds([...FOUND, { type: "refused", code: "bad_request", message: "The pattern takes too long." }]);
  expect(await grep("--grep", "x")).toMatchObject({
    code: 64,
    stderr: expect.stringContaining("takes too long"),
  });
});

test("[L21] what does not fit a search is refused before anything is asked", async () => {
  for (const args of [["-i"], ["--grep", "x", "-f"], ["--grep", ""], ["--grep", "x", "-C", "101"]]) {
    expect(await grep(...args)).toMatchObject({ code: 64, stdout: "" });
  }
  expect(server.requests).toEqual([]);
});
