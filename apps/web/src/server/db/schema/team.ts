import { bigint, index, integer, pgTable, text, timestamp, uniqueIndex } from "drizzle-orm/pg-core";
import { user } from "./user.ts";

/** The tenant. Every other row of ours names its team. */
export const team = pgTable("team", {
  id: text("id").primaryKey(),
  name: text("name").notNull(),
  /** Logs of ended jobs are kept so many days, and so many bytes of them: null takes the server's default, 0 is for ever, or any. */
  logKeepDays: integer("log_keep_days"),
  logBytesMax: bigint("log_bytes_max", { mode: "number" }),
  createdAt: timestamp("created_at", { withTimezone: true }).notNull().defaultNow(),
});

/** A user in a team. What a person may do hangs on this row: without it, no session and no key of theirs reaches the team. */
export const member = pgTable(
  "member",
  {
    id: text("id").primaryKey(),
    teamId: text("team_id")
      .notNull()
      .references(() => team.id, { onDelete: "cascade" }),
    userId: text("user_id")
      .notNull()
      .references(() => user.id, { onDelete: "cascade" }),
    role: text("role", { enum: ["owner", "admin", "member", "viewer"] }).notNull(),
    createdAt: timestamp("created_at", { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => [
    uniqueIndex("member_team_user").on(table.teamId, table.userId),
    index("member_user").on(table.userId),
  ],
);
