import { describe, expect, it } from "vitest";
import { enrollCommands } from "./enroll-commands.ts";

describe("enrolment commands", () => {
  it("the careful one has the token in the environment, and nowhere in the arguments", () => {
    const { careful } = enrollCommands({
      command: "npx nexus-agent enroll nxe1_secret",
      fromHere: null,
      secret: "nxe1_secret",
    });
    expect(careful).toBe("NEXUS_ENROLL_TOKEN='nxe1_secret' npx nexus-agent enroll");
  });

  it("take the package that the server itself has, where npx can", () => {
    const here = "npx --yes http://127.0.0.1:1/agent/nexus-agent-0.tgz enroll";
    const { quick, careful } = enrollCommands({
      command: "npx nexus-agent enroll nxe1_secret",
      fromHere: { command: `${here} nxe1_secret`, sha256: "0" },
      secret: "nxe1_secret",
    });
    expect(quick).toBe(`${here} nxe1_secret`);
    expect(careful).toBe(`NEXUS_ENROLL_TOKEN='nxe1_secret' ${here}`);
  });
});
