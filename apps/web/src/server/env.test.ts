import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readEnv, readLogBucket } from "./env.ts";

const BUCKET = {
  NEXUS_LOG_STORE: "s3://team-logs/nexus/prod",
  NEXUS_S3_ACCESS_KEY_ID: "AKIA",
  NEXUS_S3_SECRET_ACCESS_KEY: "hush",
};

function problemsOf(source: Record<string, string>): string {
  try {
    readEnv(source);
    return "";
  } catch (error) {
    return String(error);
  }
}

test("[L32] a bucket is its place, its address and its keys; without it logs stay in files", () => {
  expect(readLogBucket(readEnv({}))).toBeNull();
  expect(readLogBucket(readEnv(BUCKET))).toEqual({
    bucket: "team-logs",
    prefix: "nexus/prod",
    endpoint: "https://s3.us-east-1.amazonaws.com",
    region: "us-east-1",
    accessKeyId: "AKIA",
    secretAccessKey: "hush",
  });
  const own = {
    ...BUCKET,
    NEXUS_LOG_STORE: "s3://logs",
    NEXUS_S3_ENDPOINT: "http://minio.local:9000/",
    NEXUS_S3_REGION: "eu-1",
  };
  expect(readLogBucket(readEnv(own))).toMatchObject({
    bucket: "logs",
    prefix: "",
    endpoint: "http://minio.local:9000",
    region: "eu-1",
  });
});

test("[L32] all that is wrong with the settings is said at once, and no secret with it", () => {
  const said = problemsOf({
    NEXUS_LOG_STORE: "https://bucket",
    NEXUS_S3_ENDPOINT: "http://user:hush@store:9000",
    NEXUS_LOG_DAYS: "many",
  });
  for (const name of [
    "NEXUS_LOG_STORE: give s3://bucket",
    "NEXUS_S3_ENDPOINT: give scheme, host and port alone",
    "NEXUS_LOG_DAYS",
    "NEXUS_S3_ACCESS_KEY_ID: NEXUS_LOG_STORE needs it",
    "NEXUS_S3_SECRET_ACCESS_KEY: NEXUS_LOG_STORE needs it",
  ])
    expect(said).toContain(name);
  expect(said).not.toContain("hush");
  expect(problemsOf({ ...BUCKET, NEXUS_S3_SECRET_ACCESS_KEY_FILE: "/run/secrets/s3" })).toMatch(
    /one of them alone/,
  );
});

test("[L32] the secret may be in a file; one that is not there, or empty, is told by its name", () => {
  const folder = mkdtempSync(join(tmpdir(), "nexus-env-"));
  const file = join(folder, "secret");
  const { NEXUS_S3_SECRET_ACCESS_KEY: _, ...rest } = BUCKET;
  const env = readEnv({ ...rest, NEXUS_S3_SECRET_ACCESS_KEY_FILE: file });
  expect(() => readLogBucket(env)).toThrow(/NEXUS_S3_SECRET_ACCESS_KEY_FILE cannot be read: .*ENOENT/);
  writeFileSync(file, "\n");
  expect(() => readLogBucket(env)).toThrow(`${file} is empty`);
  writeFileSync(file, "from-a-file\n");
  expect(readLogBucket(env)?.secretAccessKey).toBe("from-a-file");
  rmSync(folder, { recursive: true });
});

test("[O46] a DATABASE_URL that is none is refused with the form it needs, and is not shown", () => {
  for (const url of ["mysql://me:hunter2@db/nexus", "hunter2", "postgres://me:hunter2%zz@db/nexus"]) {
    const problems = problemsOf({ DATABASE_URL: url });
    expect(problems).toMatch(
      /\n {2}DATABASE_URL: give postgres:\/\/user:password@host:port\/database, with /,
    );
    expect(problems).not.toContain("hunter2");
  }
  expect(problemsOf({ DATABASE_URL: "postgres://me:a%25b@db:5433/nexus" })).toBe("");
});
