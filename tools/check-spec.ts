import { report } from "./code/report.ts";
import { readSources } from "./code/source.ts";
import { checkSpec } from "./spec/check-spec.ts";

process.exitCode = report("spec", checkSpec(readSources()));
