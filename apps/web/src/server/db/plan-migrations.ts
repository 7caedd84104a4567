import { NexusError } from "@nexus/shared/errors";

/** A migration of this release, in its order. `sha256` is of the file's text. */
export type Migration = { index: number; tag: string; sha256: string; statements: string[] };
/** A migration that the database says it has. */
export type AppliedMigration = { index: number; tag: string; sha256: string };

/**
 * What is still to do. The database must have exactly a beginning of our list: one that has more was written by a newer
 * release, and one that has another history was not made by this code. Both are refused before anything is touched.
 */
export function planMigrations(
  known: readonly Migration[],
  applied: readonly AppliedMigration[],
): Migration[] {
  const unknown = applied.filter(({ tag }) => !known.some((migration) => migration.tag === tag));
  const newest = unknown.at(-1);
  if (newest && applied.length > known.length)
    throw new NexusError("needs_update", {
      detail: `The database was migrated by a newer Nexus (${newest.tag}). Start that release or a later one; this one would not understand its rows.`,
    });
  applied.forEach((row, position) => {
    const expected = known[position];
    if (expected?.tag === row.tag && expected.sha256 === row.sha256 && row.index === position) return;
    throw new NexusError("conflict", {
      detail: `The database has migration ${row.index} as ${row.tag} (${row.sha256.slice(0, 12)}), this release has ${describe(expected)}. Nothing was changed. Restore a backup, or start the release that wrote it.`,
    });
  });
  return known.slice(applied.length);
}

function describe(migration: Migration | undefined): string {
  return migration ? `${migration.tag} (${migration.sha256.slice(0, 12)}) in its place` : "none in its place";
}
