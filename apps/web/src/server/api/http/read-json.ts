import type { IncomingMessage } from "node:http";
import { NexusError } from "@nexus/shared/errors";
import type * as z from "zod";
import { inputSentence } from "../refusal.ts";

const BODY_BYTES_MAX = 64 * 1024;

export async function readJson<T>(req: IncomingMessage, schema: z.ZodType<T>): Promise<T> {
  if (!/^application\/json\b/i.test(req.headers["content-type"] ?? "")) {
    throw new NexusError("bad_request", { detail: "Send JSON, with content-type application/json." });
  }
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > BODY_BYTES_MAX) throw new NexusError("too_large");
    chunks.push(chunk);
  }
  const parsed = schema.safeParse(parseJson(Buffer.concat(chunks).toString("utf8")));
  if (!parsed.success) throw new NexusError("bad_request", { detail: inputSentence(parsed.error) });
  return parsed.data;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new NexusError("bad_request", { detail: "The body is not valid JSON.", cause });
  }
}
