import { NexusError } from "@nexus/shared/errors";
import { expect, it } from "vitest";
import { toRefusal } from "./refusal.ts";

const FULL = { code: "disk_full", message: "The control plane's disk (/h) is full; free space there." };
const noRoom = Object.assign(new Error("could not write init file: No space left on device"), {
  code: "53100",
});

function refuse(thrown: unknown, problems: { code: string; message: string }[]) {
  const told: unknown[] = [];
  const parts = {
    onInternalError: (_: string, cause: unknown) => void told.push(cause),
    services: { problems: () => problems },
  };
  return { refusal: toRefusal(thrown, parts), told };
}

it("[O63] a call that fails for want of room names the disk, and the log says how it showed", () => {
  const { refusal, told } = refuse(new Error("Failed query", { cause: noRoom }), [FULL]);
  expect(refusal).toMatchObject({ code: "disk_full", message: FULL.message });
  expect(told).toHaveLength(1);
});

it("[O63] so does one that a scheduler or a database without room cannot answer", () => {
  const away = Object.assign(new Error("no"), { code: "CONNECTION_CLOSED" });
  for (const thrown of [new NexusError("unavailable"), away])
    expect(refuse(thrown, [FULL]).refusal).toMatchObject({ code: "disk_full", message: FULL.message });
});

it("[O63] a database elsewhere that is full is not taken for the home's disk", () => {
  expect(refuse(noRoom, []).refusal).toMatchObject({
    code: "disk_full",
    message: "The disk of the control plane's database is full; free space there.",
  });
});

it("[O63] what has another cause keeps its own words while the disk is full", () => {
  expect(refuse(new NexusError("not_found"), [FULL]).refusal.code).toBe("not_found");
  expect(refuse(new Error("a bug"), [FULL]).refusal.code).toBe("internal");
  expect(refuse(new NexusError("unavailable"), []).refusal.code).toBe("unavailable");
});
