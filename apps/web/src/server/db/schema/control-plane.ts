import { bigint, integer, pgTable, text, timestamp } from "drizzle-orm/pg-core";

/**
 * The active control plane, in one row. `epoch` grows with each that becomes it. Who writes on behalf of a control plane
 * names its epoch (`nexus.epoch`), and the trigger `nexus_fence` on the tables refuses what belongs to an older one.
 */
export const controlPlane = pgTable("control_plane", {
  id: integer("id").primaryKey().default(1),
  epoch: bigint("epoch", { mode: "number" }).notNull(),
  host: text("host").notNull(),
  pid: integer("pid").notNull(),
  url: text("url").notNull(),
  home: text("home").notNull(),
  since: timestamp("since", { withTimezone: true }).notNull(),
});
