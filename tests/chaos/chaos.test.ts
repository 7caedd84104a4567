import { expect, it } from "vitest";
import { readChaosOptions } from "./chaos-options.ts";
import { chaosTable } from "./report.ts";
import { runChaos } from "./run-chaos.ts";

/** A short slice of `npm run chaos`: the faults that need no waiting for timeouts. */
const SLICE = ["agent-kill", "server-kill", "launcher-kill", "supervisor-kill", "all-kill", "cut"];

it("[W17] under kills and cuts no job is lost or doubled, and no byte of a log", async () => {
  const argv = [
    "--jobs",
    "90",
    "--agents",
    "2",
    "--rounds",
    "1",
    "--scale",
    "0.2",
    "--seed",
    "7",
    "--slack",
    "10",
  ];
  const report = await runChaos(readChaosOptions([...argv, "--faults", SLICE.join(",")]), () => undefined);
  const findings = report.rows.flatMap((row) => row.findings.map((finding) => `${row.fault}: ${finding}`));
  expect(findings, chaosTable(report)).toEqual([]);
}, 180_000);
