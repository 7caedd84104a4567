import type { GpuFacts, HostFacts } from "@nexus/shared/protocol/messages";
import { sql } from "drizzle-orm";
import {
  bigint,
  boolean,
  index,
  integer,
  jsonb,
  pgTable,
  text,
  timestamp,
  uniqueIndex,
} from "drizzle-orm/pg-core";
import { team } from "./team.ts";
import { user } from "./user.ts";

/** A place jobs run. Wide and rarely written: heartbeats and samples never touch it. */
export const target = pgTable(
  "target",
  {
    id: bigint("id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    publicId: text("public_id").notNull().unique(),
    teamId: text("team_id")
      .notNull()
      .references(() => team.id, { onDelete: "cascade" }),
    name: text("name").notNull(),
    kind: text("kind", { enum: ["agent", "ssh"] }).notNull(),
    state: text("state", {
      enum: ["connecting", "connected", "unreachable", "offline", "revoked", "needs_update"],
    }).notNull(),
    stateSince: timestamp("state_since", { withTimezone: true }).notNull().defaultNow(),
    cordoned: boolean("cordoned").notNull().default(false),
    draining: boolean("draining").notNull().default(false),
    labels: jsonb("labels").$type<Record<string, string>>().notNull().default({}),
    facts: jsonb("facts").$type<HostFacts>(),
    createdAt: timestamp("created_at", { withTimezone: true }).notNull().defaultNow(),
    revokedAt: timestamp("revoked_at", { withTimezone: true }),
  },
  (table) => [
    /** A revoked target keeps its row for history and gives its name back. */
    uniqueIndex("target_team_name").on(table.teamId, table.name).where(sql`${table.revokedAt} is null`),
  ],
);

/** The identity of the machine behind a target: its public key, and the generation that tells a cloned disk. */
export const nodeKey = pgTable("node_key", {
  targetId: bigint("target_id", { mode: "number" })
    .primaryKey()
    .references(() => target.id, { onDelete: "cascade" }),
  /** Ed25519, raw 32 bytes as base64url. */
  publicKey: text("public_key").notNull(),
  /** The generation that the node confirmed last, and the one offered but not confirmed yet. */
  generation: integer("generation").notNull().default(0),
  generationOffered: integer("generation_offered").notNull().default(0),
  bootId: text("boot_id"),
  enrollTokenId: bigint("enroll_token_id", { mode: "number" }),
  createdAt: timestamp("created_at", { withTimezone: true }).notNull().defaultNow(),
});

/** Small and hot: one row a target, written at most every 30 s and on state changes. */
export const targetHeartbeat = pgTable("target_heartbeat", {
  targetId: bigint("target_id", { mode: "number" })
    .primaryKey()
    .references(() => target.id, { onDelete: "cascade" }),
  lastSeenAt: timestamp("last_seen_at", { withTimezone: true }).notNull(),
});

export const gpu = pgTable(
  "gpu",
  {
    id: bigint("id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    targetId: bigint("target_id", { mode: "number" })
      .notNull()
      .references(() => target.id, { onDelete: "cascade" }),
    uuid: text("uuid").notNull(),
    facts: jsonb("facts").$type<GpuFacts>().notNull(),
    /** Blocked by a person: never placed on without force. */
    blocked: boolean("blocked").notNull().default(false),
    /** Not in the node's latest inventory: fell off the bus, or the card was taken out. */
    missingSince: timestamp("missing_since", { withTimezone: true }),
  },
  (table) => [uniqueIndex("gpu_target_uuid").on(table.targetId, table.uuid)],
);

/** One use or more of the right to enrol. The seed signs on the node and is never sent; here lives its public half. */
export const enrollToken = pgTable(
  "enroll_token",
  {
    id: bigint("id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    publicId: text("public_id").notNull().unique(),
    teamId: text("team_id")
      .notNull()
      .references(() => team.id, { onDelete: "cascade" }),
    publicKey: text("public_key").notNull(),
    /** Name for the target; null takes the node's hostname. */
    name: text("name"),
    labels: jsonb("labels").$type<Record<string, string>>().notNull().default({}),
    uses: integer("uses").notNull().default(0),
    usesMax: integer("uses_max").notNull(),
    /** Reinstalls this target instead of creating one. */
    targetId: bigint("target_id", { mode: "number" }).references(() => target.id, { onDelete: "cascade" }),
    createdBy: text("created_by")
      .notNull()
      .references(() => user.id),
    createdAt: timestamp("created_at", { withTimezone: true }).notNull().defaultNow(),
    expiresAt: timestamp("expires_at", { withTimezone: true }).notNull(),
    revokedAt: timestamp("revoked_at", { withTimezone: true }),
  },
  (table) => [index("enroll_token_team").on(table.teamId)],
);

/** The control plane's own Ed25519 identity, which agents pin. The private key is sealed with the master key. */
export const serverIdentity = pgTable("server_identity", {
  id: integer("id").primaryKey().default(1),
  publicKey: text("public_key").notNull(),
  sealedPrivateKey: text("sealed_private_key").notNull(),
  createdAt: timestamp("created_at", { withTimezone: true }).notNull().defaultNow(),
});

/** Telemetry history, one row a GPU and interval. Old days are deleted by `sampled_at`. */
export const gpuSample = pgTable(
  "gpu_sample",
  {
    gpuId: bigint("gpu_id", { mode: "number" })
      .notNull()
      .references(() => gpu.id, { onDelete: "cascade" }),
    sampledAt: timestamp("sampled_at", { withTimezone: true }).notNull(),
    memoryUsedMib: integer("memory_used_mib"),
    utilizationPct: integer("utilization_pct"),
    powerW: integer("power_w"),
    temperatureC: integer("temperature_c"),
  },
  (table) => [
    index("gpu_sample_gpu_time").on(table.gpuId, table.sampledAt),
    index("gpu_sample_time").using("brin", table.sampledAt),
  ],
);
