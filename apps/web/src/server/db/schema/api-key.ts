import { index, pgTable, text, timestamp } from "drizzle-orm/pg-core";
import { member } from "./team.ts";

/**
 * Keys of the CLI and of scripts. A key belongs to a membership, not to an account: it acts in that team only, and the
 * database drops it with the membership. Only the hash of the secret is kept; 256 random bits need no slow hash.
 */
export const apikey = pgTable(
  "apikey",
  {
    id: text("id").primaryKey(),
    memberId: text("member_id")
      .notNull()
      .references(() => member.id, { onDelete: "cascade" }),
    name: text("name").notNull(),
    /** The most that it may do; null is whatever its member may. Never more than that. */
    role: text("role", { enum: ["owner", "admin", "member", "viewer"] }),
    /** SHA-256 of the whole secret, base64url. */
    secretHash: text("secret_hash").notNull().unique(),
    createdAt: timestamp("created_at", { withTimezone: true }).notNull().defaultNow(),
    /** Written at most once a minute. */
    lastUsedAt: timestamp("last_used_at", { withTimezone: true }),
    expiresAt: timestamp("expires_at", { withTimezone: true }),
  },
  (table) => [index("apikey_member").on(table.memberId)],
);
