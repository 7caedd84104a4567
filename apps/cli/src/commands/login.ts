import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { NexusError } from "@nexus/shared/errors";
import type { Command } from "commander";
import { createApi } from "../api/api.ts";
import { type Cli, note, print } from "../cli.ts";
import { checkedKey, configPath, origin, saveServer } from "../config/cli-config.ts";
import { askLine } from "../terminal/ask.ts";
import { plain, plainJson } from "../terminal/plain.ts";
import { withSpinner } from "../terminal/spinner.ts";
import { addExamples, addJsonOption } from "./common-options.ts";

export function addLogin(program: Command, cli: Cli): void {
  const command = program
    .command("login")
    .description(
      "sign this machine in with an API key, read from the terminal or from a pipe, never from the command line",
    )
    .argument("[url]", "the server's address (default: NEXUS_URL)")
    .option(
      "--certificate <file>",
      "trust the server's own certificate, from NEXUS_HOME/tls/cert.pem on the server",
    );
  addExamples(command, [
    ["nexus login https://nexus.example.com", "asks for the key"],
    ["nexus login https://nexus.example.com < key.txt", "takes it from a file"],
  ]);
  addJsonOption(command).action(async (address: string | undefined, options: LoginOptions) => {
    await login(cli, address, options);
  });
}

type LoginOptions = { json?: boolean; certificate?: string };

async function login(cli: Cli, address: string | undefined, options: LoginOptions): Promise<void> {
  const given = address ?? cli.env.NEXUS_URL;
  if (given === undefined && !cli.stdin.isTTY) {
    throw new NexusError("bad_request", { detail: "Which server? nexus login https://nexus.example.com" });
  }
  const url = origin(given ?? (await askLine(cli, "Address of the server: ")));
  const { protocol, hostname } = new URL(url);
  if (protocol === "http:" && !["127.0.0.1", "[::1]", "localhost"].includes(hostname)) {
    note(cli, `Warning: ${url} is not encrypted. Anyone on the way can read the key.`);
  }
  if (cli.stdin.isTTY) note(cli, `Make a key at ${url}/settings and paste it here.`);
  const apiKey = await askLine(cli, "API key: ", { isSecret: true });
  if (apiKey === "") throw new NexusError("bad_request", { detail: "No key came. Type it, or pipe it in." });
  checkedKey(apiKey, "What was entered");
  const certificate = await readCertificate(options.certificate);
  const me = await withSpinner(
    cli.stderr,
    "Signing in",
    createApi({ url, apiKey, certificate }).call("me.get", undefined),
  );
  await saveServer(cli, (present) => ({
    ...(present?.url === url ? present : {}),
    url,
    apiKey,
    certificate,
  }));
  if (options.json) print(cli, plainJson({ url, user: me.user, team: me.team, role: me.role }, 2));
  else
    print(
      cli,
      `Signed in to ${url} as ${plain(me.user.name)}, ${me.role} of ${plain(me.team.name)}. Kept in ${configPath(cli)}.`,
    );
}

async function readCertificate(path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  try {
    const text = await readFile(path, "utf8");
    return new X509Certificate(text).toString();
  } catch (cause) {
    throw new NexusError("bad_request", {
      detail: `${path} is no certificate in PEM that can be read.`,
      cause,
    });
  }
}
