import { bigint, index, pgTable, text, timestamp } from "drizzle-orm/pg-core";
import { team } from "./team.ts";

/** Acts of people and refusals of machines that a team's admins may want to look up. Append only. */
export const auditEvent = pgTable(
  "audit_event",
  {
    id: bigint("id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    teamId: text("team_id").references(() => team.id, { onDelete: "cascade" }),
    at: timestamp("at", { withTimezone: true }).notNull().defaultNow(),
    actor: text("actor").notNull(),
    action: text("action").notNull(),
    subject: text("subject").notNull(),
    detail: text("detail").notNull().default(""),
  },
  (table) => [index("audit_event_team_time").on(table.teamId, table.at)],
);
