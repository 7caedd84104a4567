/** Test support: a package registry on loopback with the packages that a test makes up. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

export type FakeRegistry = {
  url: string;
  /** Adds a package and answers what a lock file says of it. */
  publish(manifest: Manifest, files: Record<string, string>): Published;
  close(): void;
};

type Manifest = {
  name: string;
  version: string;
  os?: string[];
  cpu?: string[];
  bin?: Record<string, string>;
};
type Published = { version: string; integrity: string };

export async function openFakeRegistry(): Promise<FakeRegistry> {
  const dir = mkdtempSync(join(tmpdir(), "nexus-registry-"));
  const answers = new Map<string, Buffer>();
  const server = createServer((request, response) => {
    const answer = answers.get(request.url ?? "");
    response.writeHead(answer ? 200 : 404).end(answer);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === "object" && address ? address.port : 0}/`;
  return {
    url,
    publish(manifest, files) {
      const tarball = pack(dir, { ...files, "package.json": JSON.stringify(manifest) });
      const integrity = `sha512-${createHash("sha512").update(tarball).digest("base64")}`;
      const { name, version } = manifest;
      const dist = { tarball: `${url}${name}-${version}.tgz`, integrity };
      const document = {
        name,
        "dist-tags": { latest: version },
        versions: { [version]: { ...manifest, dist } },
      };
      answers.set(`/${name}`, Buffer.from(JSON.stringify(document)));
      answers.set(`/${name}-${version}.tgz`, tarball);
      return { version, integrity };
    },
    close() {
      server.close();
      server.closeAllConnections();
      rmSync(dir, { recursive: true });
    },
  };
}

function pack(dir: string, files: Record<string, string>): Buffer {
  const folder = mkdtempSync(join(dir, "package-"));
  for (const [path, text] of Object.entries(files)) {
    const file = join(folder, "package", path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    chmodSync(file, path.startsWith("bin/") ? 0o755 : 0o644);
  }
  execFileSync("tar", ["czf", "package.tgz", "package"], { cwd: folder });
  return readFileSync(join(folder, "package.tgz"));
}
