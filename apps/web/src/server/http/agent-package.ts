/**
 * The agent as a package that npx takes from this control plane, so that machines are enrolled before it is published and where no
 * registry is reached. Anyone may have it: it is the same program for everyone and holds no secret. Its address names its content,
 * since npx keeps what it once took from an address; the plain one stays the same for those who write it down.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";

export type AgentPackage = {
  /** Where it is here: `/agent/nexus-agent-<beginning of its SHA-256>.tgz`. */
  path: string;
  sha256: string;
  /** @returns whether the request was for it, and is answered. */
  handle(req: IncomingMessage, res: ServerResponse): boolean;
};

/** @returns null where none was built. */
export async function openAgentPackage(file: string): Promise<AgentPackage | null> {
  const bytes = await readFile(file).catch(() => null);
  if (bytes === null) return null;
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const path = `/agent/nexus-agent-${sha256.slice(0, 12)}.tgz`;
  return {
    path,
    sha256,
    handle(req, res) {
      const asked = (req.url ?? "").split("?", 1)[0];
      if (asked !== path && asked !== "/agent/nexus-agent.tgz") return false;
      if (req.method !== "GET" && req.method !== "HEAD") return false;
      res.writeHead(200, {
        "content-type": "application/gzip",
        "content-length": bytes.length,
        "cache-control": asked === path ? "public, max-age=31536000, immutable" : "no-cache",
        etag: `"${sha256}"`,
      });
      res.end(req.method === "HEAD" ? undefined : bytes);
      return true;
    },
  };
}
