import { bigint, boolean, jsonb, pgTable, primaryKey, text, timestamp } from "drizzle-orm/pg-core";
import { target } from "./target.ts";
import { team } from "./team.ts";

/** A public key as SSH writes it. */
export type StoredPublicKey = { type: string; base64: string };

/** A machine on the way to another. */
export type StoredHop = { host: string; port: number; user: string };

/** One of the ways that are tried; `host` where the machine has another name on it. */
export type StoredTransport = { kind: "direct" | "tailscale" | "cloudflare"; host?: string | undefined };

/** What a team knows of the keys of one host name. Changed with a line in the audit only. */
export const sshHostKey = pgTable(
  "ssh_host_key",
  {
    teamId: text("team_id")
      .notNull()
      .references(() => team.id, { onDelete: "cascade" }),
    /** As in known_hosts: `host`, `[host]:port` or an alias. */
    name: text("name").notNull(),
    pinned: jsonb("pinned").$type<StoredPublicKey[]>().notNull().default([]),
    revoked: jsonb("revoked").$type<StoredPublicKey[]>().notNull().default([]),
    /** The key that the host showed last and that was refused: a person may put it in place of the known one. */
    refused: jsonb("refused").$type<StoredPublicKey>(),
    refusedAt: timestamp("refused_at", { withTimezone: true }),
    updatedAt: timestamp("updated_at", { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => [primaryKey({ columns: [table.teamId, table.name] })],
);

/** How a target is reached over SSH. The private key is sealed with the master key, for this target alone. */
export const targetSsh = pgTable("target_ssh", {
  targetId: bigint("target_id", { mode: "number" })
    .primaryKey()
    .references(() => target.id, { onDelete: "cascade" }),
  host: text("host").notNull(),
  port: bigint("port", { mode: "number" }).notNull(),
  user: text("user_name").notNull(),
  jumps: jsonb("jumps").$type<StoredHop[]>().notNull().default([]),
  transports: jsonb("transports").$type<StoredTransport[]>().notNull(),
  hostKeyName: text("host_key_name").notNull(),
  /** Whether weak algorithms are offered to it. */
  isLegacy: boolean("is_legacy").notNull().default(false),
  /** Of the key that Nexus made for this target; null where none was wanted. */
  publicKey: jsonb("public_key").$type<StoredPublicKey>(),
  sealedPrivateKey: text("sealed_private_key"),
  /** Of Cloudflare Access, where a key is kept too; null where none was given. */
  sealedCloudflareToken: text("sealed_cloudflare_token"),
  updatedAt: timestamp("updated_at", { withTimezone: true }).notNull().defaultNow(),
});
