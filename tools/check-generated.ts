import { report } from "./code/report.ts";
import { REPOSITORY } from "./code/source.ts";
import { checkGenerated } from "./generated/check-generated.ts";
import { GENERATORS } from "./generated-files.ts";

process.exitCode = report("generated files", await checkGenerated(GENERATORS, REPOSITORY));
