import type { IncomingMessage } from "node:http";
import { NexusError } from "@nexus/shared/errors";
import type * as z from "zod";
import { inputSentence } from "../refusal.ts";

const BODY_BYTES_MAX = 64 * 1024;

export async function readJson<T>(req: IncomingMessage, schema: z.ZodType<T>): Promise<T> {
  if (!/^application\/json\b/i.test(req.headers["content-type"] ?? "")) {
    throw new NexusError("bad_request", { detail: "Send JSON, with content-type application/json." });
  }
  const parsed = schema.safeParse(await readBody(req, BODY_BYTES_MAX));
  if (!parsed.success) throw new NexusError("bad_request", { detail: inputSentence(parsed.error) });
  return parsed.data;
}

/** The body as JSON, of whatever form. */
export async function readBody(req: IncomingMessage, bytesMax: number): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > bytesMax) {
      throw new NexusError("too_large", { detail: `The request is larger than ${bytesMax} bytes.` });
    }
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch (cause) {
    throw new NexusError("bad_request", { detail: "The body is not valid JSON.", cause });
  }
}
