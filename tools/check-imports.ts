import { report } from "./code/report.ts";
import { readSources } from "./code/source.ts";
import { OWNED_PACKAGES, ZONES } from "./import-rules.ts";
import { checkImports } from "./imports/check-imports.ts";

const findings = checkImports(readSources(), { zones: ZONES, ownedPackages: OWNED_PACKAGES });
process.exitCode = report("imports", findings);
