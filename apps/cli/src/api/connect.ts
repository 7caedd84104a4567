import type { Cli } from "../cli.ts";
import { readConnection } from "../config/cli-config.ts";
import { type Api, createApi } from "./api.ts";

/** The server of this home, and the target that `-t` means when it is not given. */
export async function connect(cli: Cli): Promise<{ api: Api; target: string | undefined }> {
  const connection = await readConnection(cli);
  return { api: createApi(connection), target: connection.target };
}
