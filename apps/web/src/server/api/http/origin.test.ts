import { expect, test } from "vitest";
import { isOwnOrigin } from "./origin.ts";

const own = ["https://nexus.lab.test", "http://gpu-head:54323"];

test.each([
  ["our public address, whatever host a proxy dials", "https://nexus.lab.test", "10.0.0.7:54323"],
  ["a forwarded port on localhost", "http://localhost:8080", "localhost:8080"],
  ["an address of this machine", "http://192.168.1.5:54323", "192.168.1.5:54323"],
  ["an IPv6 address", "http://[fd00::7]:54323", "[fd00::7]:54323"],
  ["a name of ours on another port", "http://gpu-head:9000", "GPU-HEAD:9000"],
])("[A9] a page of ours: %s", (_what, origin, host) => {
  expect(isOwnOrigin({ origin, host }, own)).toBe(true);
});

test.each([
  ["a name that others made lead here", "http://evil.example:54323", "evil.example:54323"],
  ["a name that only begins like ours", "http://gpu-head.evil.example", "gpu-head.evil.example"],
  ["another address", "http://192.168.1.6:54323", "192.168.1.5:54323"],
  ["our name with another scheme, elsewhere", "http://nexus.lab.test", "10.0.0.7"],
  ["an opaque one", "null", "gpu-head:54323"],
  ["none", undefined, "gpu-head:54323"],
])("[A9] not a page of ours: %s", (_what, origin, host) => {
  expect(isOwnOrigin({ ...(origin === undefined ? {} : { origin }), host }, own)).toBe(false);
});
