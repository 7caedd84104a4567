import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Nexus, type NexusAgent } from "../harness/nexus.ts";
import { until } from "../harness/until.ts";

describe("nexus doctor", () => {
  let nexus: Nexus;
  let agent: NexusAgent;
  beforeAll(async () => {
    nexus = await Nexus.start({ NEXUS_TLS: "self-signed" });
    agent = await nexus.addAgent({ name: "gpu1" });
  }, 90_000);
  afterAll(() => nexus?.dispose());

  async function doctor(): Promise<{ code: number; out: string }> {
    const command = nexus.cli(["doctor"], { env: { NEXUS_AGENT_HOME: agent.home, HOME: nexus.home } });
    return { code: await command.exit(), out: command.stdout + command.stderr };
  }

  it("[N19] of a Nexus that works it says so, with each thing that it looked at, and names what has stopped", async () => {
    const well = await until("the agent wrote down that it is connected", async () => {
      const looked = await doctor();
      return looked.out.includes("connected, pid") && looked;
    });
    for (const words of [
      /✓ Agent +This machine is gpu1 of https:/,
      /✓ Address +https:\/\/127\.0\.0\.1:\d+ answers/,
      /✓ Certificate +Trusted: the server's own/,
      /✓ Ready /,
      /✓ WebSocket +Passes/,
      /✓ Version +0\.1\.0, like this command/,
      /✓ Clock +Agrees/,
      /✓ Signed in +As .*, owner of/,
      /✓ Database +PostgreSQL \d+.*embedded/,
      /✓ SSH crypto +ssh2 with/,
      /✓ Targets +1 of 1 connected/,
    ])
      expect(well.out).toMatch(words);
    expect(well.code).toBe(0);
    for (const line of well.out.split("\n")) expect(line.length).toBeLessThanOrEqual(80);

    await agent.kill("SIGKILL");
    await until(
      "it is away",
      async () => (await nexus.call("targets.get", { target: "gpu1" })).state !== "connected",
    );
    const stopped = await doctor();
    expect(stopped.code).toBe(1);
    expect(stopped.out).toMatch(
      /✗ Agent .*its agent does\s+not run.*✗ Targets +0 of 1 connected.*! gpu1 +It is/s,
    );
    expect(stopped.out).toMatch(/things? (do|does) not work/);

    await nexus.server.kill("SIGKILL");
    const dead = await doctor();
    expect(dead.code).toBe(1);
    expect(dead.out).toMatch(/✗ Address .*nothing listens there/s);
  }, 90_000);
});
