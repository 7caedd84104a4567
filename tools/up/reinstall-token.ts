import { readFileSync } from "node:fs";
import { join } from "node:path";
import { contract } from "@nexus/shared/api/contract";
import { CLI_CONFIG_FILE, cliConfigSchema, DEFAULT_SERVER } from "@nexus/shared/cli-config";
import { NexusError } from "@nexus/shared/errors";

const REQUEST_MS = 10_000;

type Answer = { result?: { data: unknown }; error?: { message: string } };

/** For a target whose agent lost its folder: a token that makes this machine the same target again. */
export async function createReinstallToken(home: string, url: string, target: string): Promise<string> {
  const config = cliConfigSchema.parse(JSON.parse(readFileSync(join(home, CLI_CONFIG_FILE), "utf8")));
  const response = await fetch(new URL("/api/trpc/enrollTokens.create", url), {
    method: "POST",
    headers: {
      authorization: `Bearer ${config.servers[DEFAULT_SERVER]?.apiKey}`,
      "content-type": "application/json",
    },
    body: JSON.stringify({ target }),
    signal: AbortSignal.timeout(REQUEST_MS),
  });
  const { result, error } = (await response.json()) as Answer;
  if (result) return contract["enrollTokens.create"].output.parse(result.data).secret;
  throw new NexusError("unavailable", {
    detail: `The control plane gave no token to enrol this machine again: ${error?.message ?? response.status}`,
  });
}
