import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { assert } from "@nexus/shared/assert";
import { z } from "zod";
import type { Migration } from "./plan-migrations.ts";

const journalSchema = z.object({ entries: z.array(z.object({ idx: z.int(), tag: z.string() })) });
const BREAKPOINT = "--> statement-breakpoint";

/** The migrations of this release, from the folder that `drizzle-kit generate` writes. */
export function readMigrations(folder: string): Migration[] {
  const journal = journalSchema.parse(
    JSON.parse(readFileSync(join(folder, "meta", "_journal.json"), "utf8")),
  );
  return journal.entries.map(({ idx, tag }, position) => {
    assert(idx === position, `migration ${tag} has number ${idx} in the journal, and stands at ${position}`);
    const text = readFileSync(join(folder, `${tag}.sql`), "utf8");
    return {
      index: idx,
      tag,
      sha256: createHash("sha256").update(text).digest("hex"),
      statements: text.split(BREAKPOINT).map((statement) => statement.trim()),
    };
  });
}
