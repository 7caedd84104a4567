#!/usr/bin/env node
import { homedir, tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { runOnFitNode } from "./ensure-node.mjs";

await runOnFitNode(
  {
    home: process.env.NEXUS_AGENT_HOME || join(homedir(), ".nexus-agent"),
    fallbackDir: join(tmpdir(), `nexus-node24-${userInfo().uid}`),
    say: (line) => process.stderr.write(`nexus-agent: ${line}\n`),
  },
  () => import("../dist/nexus-agent.js"),
);
