import { expect, test } from "vitest";
import { completeLock, missingFrom } from "./complete-lock.ts";

const lock = {
  packages: {
    "": {},
    "node_modules/tool": {
      version: "2.0.1",
      dev: true,
      optionalDependencies: {
        "@tool/linux-x64-gnu": "2.0.1",
        "@tool/linux-arm64-musl": "2.0.1",
        "@tool/darwin-arm64": "2.0.1",
        "@tool/windows-64": "2.0.1",
        "@tool/wasm32-wasi": "2.0.1",
        "colors-of-nobody": "1.0.0",
        "@tool/linux-s390x-gnu": "^2.0.0",
      },
    },
    "node_modules/@tool/linux-x64-gnu": { version: "2.0.1", optional: true },
  },
};

test("[C9] what npm left out is named with its system, and only that", () => {
  expect(missingFrom(lock)).toEqual({
    "node_modules/@tool/linux-arm64-musl": {
      version: "2.0.1",
      cpu: ["arm64"],
      dev: true,
      libc: ["musl"],
      optional: true,
      os: ["linux"],
    },
    "node_modules/@tool/darwin-arm64": {
      version: "2.0.1",
      cpu: ["arm64"],
      dev: true,
      optional: true,
      os: ["darwin"],
    },
    "node_modules/@tool/windows-64": {
      version: "2.0.1",
      cpu: ["x64"],
      dev: true,
      optional: true,
      os: ["win32"],
    },
    "node_modules/@tool/wasm32-wasi": { version: "2.0.1", cpu: ["wasm32"], dev: true, optional: true },
  });
});

test("[C9] a completed lock file misses nothing and keeps what it had", () => {
  const complete = completeLock(lock);
  expect(missingFrom(complete)).toEqual({});
  expect(complete.packages).toMatchObject(lock.packages);
});
