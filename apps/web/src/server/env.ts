/** Every setting of the control plane. Read once, by server.ts; the rest of the code gets plain values. */
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { NexusError } from "@nexus/shared/errors";
import * as z from "zod";
import type { S3Settings } from "./logs/s3/s3-objects.ts";

const flag = z.enum(["0", "1"]).transform((text) => text === "1");

const S3_PLACE = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/([\w.-]+(?:\/[\w.-]+)*))?\/?$/;

const DATABASE_URL_FORM =
  "give postgres://user:password@host:port/database, with %25 for %, %40 for @, %2F for / and %23 for # in user and password";

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
  DATABASE_URL: z
    .url({ protocol: /^postgres(ql)?$/, error: DATABASE_URL_FORM })
    .refine(isDecodable, DATABASE_URL_FORM)
    .optional(),
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
  /** `s3://bucket/prefix`: logs move into this bucket as they grow. Without it they stay in NEXUS_HOME/logs. */
  NEXUS_LOG_STORE: z
    .string()
    .regex(
      S3_PLACE,
      "give s3://bucket or s3://bucket/prefix, in letters, digits, dots, dashes and underscores",
    )
    .optional(),
  /** GiB of logs that may wait in NEXUS_HOME to be moved, while the bucket is away. */
  NEXUS_LOG_LOCAL_GIB: z.coerce.number().min(0.01).max(1_000_000).default(20),
  /** Of an S3-compatible store; else that of the region's AWS. */
  NEXUS_S3_ENDPOINT: z
    .url({ protocol: /^https?$/ })
    .refine(isPlainAddress, "give scheme, host and port alone; keys have variables of their own")
    .transform((text) => new URL(text).href.replace(/\/+$/, ""))
    .optional(),
  NEXUS_S3_REGION: z
    .string()
    .regex(/^[a-z0-9-]+$/)
    .default("us-east-1"),
  NEXUS_S3_ACCESS_KEY_ID: z.string().optional(),
  /** The secret itself, or the file that holds it. */
  NEXUS_S3_SECRET_ACCESS_KEY: z.string().optional(),
  NEXUS_S3_SECRET_ACCESS_KEY_FILE: z.string().optional(),
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
  const problems = [
    ...(parsed.error?.issues.map((issue) => `  ${issue.path.join(".")}: ${issue.message}`) ?? []),
    ...missingOf(present),
  ];
  if (!parsed.success || problems.length > 0)
    throw new NexusError("bad_request", {
      detail: `These settings are not valid:\n${problems.join("\n")}`,
    });
  return { ...parsed.data, NEXUS_HOME: resolve(parsed.data.NEXUS_HOME), programEnv: programEnvOf(source) };
}

/** What the settings of a bucket lack: they are of use together only. */
function missingOf(present: Record<string, string | undefined>): string[] {
  if (present.NEXUS_LOG_STORE === undefined) return [];
  const problems: string[] = [];
  const { NEXUS_S3_SECRET_ACCESS_KEY: secret, NEXUS_S3_SECRET_ACCESS_KEY_FILE: file } = present;
  if (present.NEXUS_S3_ACCESS_KEY_ID === undefined)
    problems.push("  NEXUS_S3_ACCESS_KEY_ID: NEXUS_LOG_STORE needs it");
  if ((secret === undefined) === (file === undefined))
    problems.push(
      "  NEXUS_S3_SECRET_ACCESS_KEY: NEXUS_LOG_STORE needs it, or NEXUS_S3_SECRET_ACCESS_KEY_FILE, and one of them alone",
    );
  return problems;
}

/** The driver decodes each part, and a lone % stops it. */
function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

/** No user, password, path or query that would be lost or shown. */
function isPlainAddress(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : null;
  return url !== null && `${url.origin}/` === url.href;
}

/** The bucket that logs move into, if any. @throws NexusError `bad_request` when the file with its secret cannot be read. */
export function readLogBucket(env: Env): S3Settings | null {
  const [, bucket, prefix = ""] = S3_PLACE.exec(env.NEXUS_LOG_STORE ?? "") ?? [];
  if (bucket === undefined) return null;
  const { NEXUS_S3_REGION: region, NEXUS_S3_SECRET_ACCESS_KEY_FILE: file } = env;
  return {
    ...{ bucket, prefix, region },
    endpoint: env.NEXUS_S3_ENDPOINT ?? `https://s3.${region}.amazonaws.com`,
    accessKeyId: env.NEXUS_S3_ACCESS_KEY_ID ?? "",
    secretAccessKey: file === undefined ? (env.NEXUS_S3_SECRET_ACCESS_KEY ?? "") : readSecret(file),
  };
}

function readSecret(file: string): string {
  let secret: string;
  try {
    secret = readFileSync(file, "utf8").trim();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new NexusError("bad_request", {
      detail: `NEXUS_S3_SECRET_ACCESS_KEY_FILE cannot be read: ${why}`,
      cause,
    });
  }
  if (secret === "")
    throw new NexusError("bad_request", { detail: `NEXUS_S3_SECRET_ACCESS_KEY_FILE: ${file} is empty` });
  return secret;
}

/** What programs that we start inherit: everything but our own settings, of which some are secret. */
function programEnvOf(
  source: Record<string, string | undefined>,
): Readonly<Record<string, string | undefined>> {
  const names = Object.keys(source).filter((name) => !name.startsWith("NEXUS_") && name !== "DATABASE_URL");
  return Object.fromEntries(names.map((name) => [name, source[name]]));
}
