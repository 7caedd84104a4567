#!/usr/bin/env -S node --
// The dashes keep Node from reading the command's own --env-file as its own.
import { homedir, tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { runOnFitNode } from "./ensure-node.mjs";

const home = process.env.NEXUS_HOME || join(homedir(), ".nexus");
await runOnFitNode(
  {
    home,
    fallbackDir: join(tmpdir(), `nexus-node24-${userInfo().uid}`),
    // It is called a hundred times a day; once is enough to know.
    quietOnceFetched: true,
    say: (line) => process.stderr.write(`nexus: ${line}\n`),
  },
  () => import("../dist/nexus.js"),
);
