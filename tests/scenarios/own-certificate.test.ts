import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Nexus } from "../harness/nexus.ts";

describe("a control plane with a certificate of its own", () => {
  let nexus: Nexus;
  beforeAll(async () => {
    nexus = await Nexus.start({ NEXUS_TLS: "self-signed" });
    await nexus.addAgent({ name: "node" });
  });
  afterAll(() => nexus?.dispose());

  it("[W13] its agent pins it and its CLI trusts it, without a setting", async () => {
    expect(nexus.url).toMatch(/^https:/);
    const run = nexus.cli(["run", "--", "echo", "over tls"]);
    expect(await run.exit()).toBe(0);
    expect(run.stdout).toContain("over tls");
  });

  it("[W13] a CLI that was not told of the certificate sends no key and says what to do", async () => {
    const status = nexus.cli(["status"], { env: { NEXUS_URL: nexus.url, NEXUS_API_KEY: nexus.apiKey } });
    expect(await status.exit()).not.toBe(0);
    expect(status.stderr).toContain("nexus login --certificate");
  });
});
