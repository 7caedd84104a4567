import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { invocation } from "./invocation.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "nexus-invocation-"));
  await mkdir(join(folder, "node_modules/.bin"), { recursive: true });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it("[E17] what is to be run next is named as this program was started", async () => {
  const of = (program: string) => invocation({ program, nodePath: "/opt/node", searched: ["/usr/bin"] });
  expect(await of("/usr/bin/nexus-agent")).toBe("nexus-agent");
  expect(await of("/home/ann/my tools/nexus-agent")).toBe("'/home/ann/my tools/nexus-agent'");
  expect(await of("/home/ann/.nexus-agent/service/nexus-agent.js")).toBe(
    "/opt/node /home/ann/.nexus-agent/service/nexus-agent.js",
  );
  const byNpx = join(folder, "node_modules/.bin/nexus-agent");
  expect(await of(byNpx)).toBe(byNpx);
  for (const spec of ["nexus-agent", "https://nexus.example/agent/nexus-agent.tgz", "/tmp/a b/agent.tgz"]) {
    await writeFile(join(folder, "package.json"), JSON.stringify({ _npx: { packages: [spec] } }));
    expect(await of(byNpx)).toBe(`npx ${spec.includes(" ") ? `'${spec}'` : spec}`);
  }
});
