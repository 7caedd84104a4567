import { report } from "./code/report.ts";
import { readSources } from "./code/source.ts";
import { checkTidy } from "./tidy/check-tidy.ts";

process.exitCode = report("tidy", checkTidy(readSources()));
