/**
 * Objects of one bucket over the S3 protocol, below one prefix. Holds nothing but the keys. Invariants: no credential is in a URL or
 * in an error; what is stored was received whole (its length, its MD5 and its SHA-256 go along and the store refuses anything
 * else, and its size is asked for afterwards). It repeats nothing: who calls owns the retry.
 */
import { createHash } from "node:crypto";
import { AwsClient } from "aws4fetch";
import { type ObjectStore, ObjectStoreError, type StoredObject } from "./object-store.ts";

export type S3Settings = {
  bucket: string;
  /** Without a slash at either end; may be empty. */
  prefix: string;
  endpoint: string;
  region: string;
  accessKeyId: string;
  secretAccessKey: string;
};

export type S3ObjectsOptions = S3Settings & {
  /** Ends what is under way. */
  signal: AbortSignal;
  timeoutMs?: number | undefined;
  /** Objects that one answer names; else what the store likes. */
  pageMax?: number | undefined;
};

/** 16 MiB at 5 Mbit/s take 27 s. */
const TIMEOUT_MS = 60_000;
const REFUSED = new Set([301, 307, 308, 400, 401, 403, 404, 405]);
/** Refusals by their code that pass by themselves. */
const PASSING = new Set(["RequestTimeout", "SlowDown", "OperationAborted"]);

export function createS3Objects(options: S3ObjectsOptions): ObjectStore {
  const { bucket, prefix, endpoint, region, signal, timeoutMs = TIMEOUT_MS, pageMax } = options;
  const client = new AwsClient({
    accessKeyId: options.accessKeyId,
    secretAccessKey: options.secretAccessKey,
    service: "s3",
    region,
    retries: 0,
  });
  // The path and not the host names the bucket: every S3-compatible store understands that.
  const bucketUrl = `${endpoint.replace(/\/+$/, "")}/${bucket}`;
  const name = `the bucket ${bucket} at ${endpoint}`;
  const fullKey = (key: string) => (prefix === "" ? key : `${prefix}/${key}`);
  const urlOf = (key: string) => `${bucketUrl}/${fullKey(key)}`;

  type Question<T> = {
    what: string;
    url: string;
    init?: RequestInit;
    read: (response: Response) => Promise<T>;
  };

  async function ask<T>({ what, url, init, read }: Question<T>): Promise<T> {
    try {
      const late = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
      const request = await client.sign(url, { redirect: "manual", ...init });
      const response = await fetch(request, { signal: late });
      if (!response.ok) throw await refusal(what, response);
      return await read(response);
    } catch (cause) {
      if (cause instanceof ObjectStoreError) throw cause;
      throw new ObjectStoreError(
        "away",
        `${capital(name)} cannot be reached to ${what}: ${reasonOf(cause)}.`,
        cause,
      );
    }
  }

  async function refusal(what: string, response: Response): Promise<ObjectStoreError> {
    const body = await response.text();
    const code = /<Code>([^<]{1,80})<\/Code>/.exec(body)?.[1] ?? response.statusText;
    const { status } = response;
    const said = `${capital(name)} refuses to ${what} (${status} ${code}).`;
    // An answer to HEAD has no body, and so no code.
    if (code === "NoSuchKey" || code === "Not Found") return new ObjectStoreError("missing", said);
    const isRefused = REFUSED.has(status) && !PASSING.has(code);
    return new ObjectStoreError(
      isRefused ? "refused" : "away",
      `${said} ${adviceFor(code, { bucket, region })}`.trim(),
    );
  }

  return {
    name,
    async put(key, bytes) {
      const headers = {
        "content-type": "application/octet-stream",
        "content-md5": createHash("md5").update(bytes).digest("base64"),
        "x-amz-content-sha256": createHash("sha256").update(bytes).digest("hex"),
      };
      const body = bytes as Uint8Array<ArrayBuffer>;
      const url = urlOf(key);
      await ask({ what: "store an object", url, init: { method: "PUT", headers, body }, read: drain });
      const size = await ask({
        what: "read an object",
        url,
        init: { method: "HEAD" },
        read: async ({ headers: told }) => Number(told.get("content-length") ?? Number.NaN),
      });
      if (size !== bytes.byteLength)
        throw new ObjectStoreError(
          "away",
          `${capital(name)} took ${bytes.byteLength} bytes and has ${size}.`,
        );
    },
    async get(key, from, length) {
      const bytes = await ask({
        what: "read an object",
        url: urlOf(key),
        init: { headers: { range: `bytes=${from}-${from + length - 1}` } },
        read: async (response) => await response.bytes(),
      });
      if (bytes.byteLength !== length)
        throw new ObjectStoreError("away", `${capital(name)} sent ${bytes.byteLength} bytes of ${length}.`);
      return bytes;
    },
    async list(under) {
      const objects: StoredObject[] = [];
      for (let token: string | null = null; ; ) {
        const query = new URLSearchParams({ "list-type": "2", prefix: fullKey(under) });
        if (pageMax !== undefined) query.set("max-keys", String(pageMax));
        if (token !== null) query.set("continuation-token", token);
        const page: string = await ask({
          what: "list objects",
          url: `${bucketUrl}?${query}`,
          read: (response) => response.text(),
        });
        for (const [, entry = ""] of page.matchAll(/<Contents>(.*?)<\/Contents>/gs)) {
          const key = /<Key>([^<]*)<\/Key>/.exec(entry)?.[1] ?? "";
          const size = Number(/<Size>(\d+)<\/Size>/.exec(entry)?.[1]);
          objects.push({ key: prefix === "" ? key : key.slice(prefix.length + 1), size });
        }
        token = /<NextContinuationToken>([^<]+)</.exec(page)?.[1] ?? null;
        if (token === null) return objects;
      }
    },
    async remove(key) {
      const url = urlOf(key);
      await ask({ what: "remove an object", url, init: { method: "DELETE" }, read: drain }).catch(
        (error: unknown) => {
          if (!(error instanceof ObjectStoreError) || error.trouble !== "missing") throw error;
        },
      );
    },
  };
}

async function drain(response: Response): Promise<void> {
  await response.arrayBuffer();
}

function adviceFor(code: string, { bucket, region }: { bucket: string; region: string }): string {
  switch (code) {
    case "NoSuchBucket":
      return `Make the bucket ${bucket}, or name another in NEXUS_LOG_STORE.`;
    case "InvalidAccessKeyId":
      return "It does not know NEXUS_S3_ACCESS_KEY_ID.";
    case "SignatureDoesNotMatch":
      return "NEXUS_S3_SECRET_ACCESS_KEY is not the one of NEXUS_S3_ACCESS_KEY_ID.";
    case "AccessDenied":
    case "Forbidden":
      return `The key needs the rights to list ${bucket} and to get, put and delete its objects.`;
    case "RequestTimeTooSkewed":
      return "The clock of this machine is wrong.";
    case "PermanentRedirect":
    case "TemporaryRedirect":
    case "AuthorizationHeaderMalformed":
      return `The bucket is not in ${region}: see NEXUS_S3_REGION and NEXUS_S3_ENDPOINT.`;
    default:
      return "";
  }
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  if (cause.name === "TimeoutError") return "no answer in time";
  const inner = cause.cause;
  return inner instanceof Error ? inner.message || inner.name : cause.message;
}

function capital(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}
