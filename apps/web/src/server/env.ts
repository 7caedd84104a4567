/** Every setting of the control plane. Read once, by server.ts; the rest of the code gets plain values. */
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { NexusError } from "@nexus/shared/errors";
import * as z from "zod";

const flag = z.enum(["0", "1"]).transform((text) => text === "1");

const envSchema = z.object({
  /** Job logs, the master key and, without DATABASE_URL, the embedded Postgres. */
  NEXUS_HOME: z.string().default(join(homedir(), ".nexus")),
  NEXUS_HOST: z.string().default("127.0.0.1"),
  /** 0 takes any free port. */
  NEXUS_PORT: z.coerce.number().int().min(0).max(65_535).default(54_323),
  /** How browsers and agents reach this server, when a proxy or a name stands in front. */
  NEXUS_PUBLIC_URL: z
    .url({ protocol: /^https?$/ })
    .transform((text) => new URL(text).origin)
    .optional(),
  /** `self-signed`: serve https with a certificate of our own, which agents pin. */
  NEXUS_TLS: z.enum(["off", "self-signed"]).default("off"),
  /** Any Postgres from 14 on. Without it an embedded one runs under NEXUS_HOME. */
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }).optional(),
  /** 32 bytes in base64; else kept in NEXUS_HOME/master.key. A standby needs the same. */
  NEXUS_MASTER_KEY: z.string().optional(),
  /** Days that samples of GPUs are kept for charts. */
  NEXUS_SAMPLE_DAYS: z.coerce.number().int().min(1).max(3_650).default(14),
  /** Days that ended jobs and their logs are kept; 0 keeps them for ever. Fair share looks two weeks back. */
  NEXUS_HISTORY_DAYS: z.coerce
    .number()
    .int()
    .refine((days) => days === 0 || (days >= 14 && days <= 36_500), "give 14 to 36500 days, or 0 for ever")
    .default(365),
  /** Days that logs are kept, and GiB of them a team; 0 is for ever, or any size. Teams may say otherwise. */
  NEXUS_LOG_DAYS: z.coerce.number().int().min(0).max(36_500).default(90),
  NEXUS_LOG_GIB: z.coerce.number().min(0).max(1_000_000).default(100),
  NEXUS_LOG_LEVEL: z.enum(["debug", "info", "warn", "error"]).default("info"),
  /** Set by `npm run up`: migrate at start, and leave run/up.json for it. */
  NEXUS_UP: flag.default(false),
  /** Set by `npm run dev`: Next compiles pages when they are asked for. */
  NEXUS_DEV: flag.default(false),
  /** The system's own: a short path for sockets, where NEXUS_HOME is too long for one. */
  XDG_RUNTIME_DIR: z.string().optional(),
});

export type Env = ReturnType<typeof readEnv>;

/** @throws NexusError `bad_request` that names every problem at once. */
export function readEnv(source: Record<string, string | undefined>) {
  // A blank value means unset: compose files and shells leave such behind.
  const present = Object.fromEntries(Object.entries(source).filter(([, value]) => value?.trim() !== ""));
  const parsed = envSchema.safeParse(present);
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `  ${issue.path.join(".")}: ${issue.message}`);
    throw new NexusError("bad_request", { detail: `These settings are not valid:\n${problems.join("\n")}` });
  }
  return { ...parsed.data, NEXUS_HOME: resolve(parsed.data.NEXUS_HOME), programEnv: programEnvOf(source) };
}

/** What programs that we start inherit: everything but our own settings, of which some are secret. */
function programEnvOf(
  source: Record<string, string | undefined>,
): Readonly<Record<string, string | undefined>> {
  const names = Object.keys(source).filter((name) => !name.startsWith("NEXUS_") && name !== "DATABASE_URL");
  return Object.fromEntries(names.map((name) => [name, source[name]]));
}
