import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { REPOSITORY } from "./code/source.ts";
import { completeLock, type Lock, missingFrom } from "./lock/complete-lock.ts";

/** Run after `npm install`: names the optional packages of other systems that npm left out of the lock file. */
const file = process.argv[2] ?? join(REPOSITORY, "package-lock.json");
const lock = JSON.parse(readFileSync(file, "utf8")) as Lock;
const missing = Object.keys(missingFrom(lock));
if (missing.length > 0) writeFileSync(file, `${JSON.stringify(completeLock(lock), null, 2)}\n`);
process.stdout.write(`${missing.length} added to ${file}\n${missing.map((path) => `  ${path}\n`).join("")}`);
