import { describe, expect, it } from "vitest";
import { enrollCommands } from "./enroll-commands.ts";

describe("enrolment commands", () => {
  it("the careful one has the token in the environment, and nowhere in the arguments", () => {
    const { careful } = enrollCommands({
      command: "npx nexus-agent enroll nxe1_secret",
      secret: "nxe1_secret",
    });
    expect(careful).toBe("NEXUS_ENROLL_TOKEN='nxe1_secret' npx nexus-agent enroll");
  });
});
