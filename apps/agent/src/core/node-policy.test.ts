import { describe, expect, it } from "vitest";
import { forbidTunnel, type PolicyFile, readPolicy, tunnelsAllowed } from "./node-policy.ts";

const policy = (value: unknown): PolicyFile => readPolicy("/home/ada/policy.json", JSON.stringify(value));
const own = { host: "localhost", port: 8000 };

describe("what a node allows", () => {
  it("[P53] without a file, every port of its own and no other machine", () => {
    for (const host of ["localhost", "127.0.0.1", "::1"])
      expect(forbidTunnel([], { host, port: 22 })).toBeNull();
    for (const host of ["0.0.0.0", "127.0.0.2", "::ffff:127.0.0.1", "gpu2", "169.254.169.254"])
      expect(forbidTunnel([], { host, port: 80 })).toContain(`${host}:80`);
    expect(tunnelsAllowed([])).toBe("open");
    expect(forbidTunnel([policy({})], own)).toBeNull();
  });

  it("[P53] it forbids all tunnels, or all but some ports, or names other machines", () => {
    expect(forbidTunnel([policy({ tunnels: false })], own)).toContain("/home/ada/policy.json forbids");
    expect(tunnelsAllowed([policy({ tunnels: false })])).toBe("forbidden");
    const some = policy({ tunnels: { ports: [6006, "8000-8010"] } });
    for (const port of [6006, 8000, 8010]) expect(forbidTunnel([some], { ...own, port })).toBeNull();
    for (const port of [22, 7999, 8011])
      expect(forbidTunnel([some], { ...own, port })).toContain(`port ${port}`);
    expect(tunnelsAllowed([some])).toBe("limited");
    const hosts = policy({ tunnels: { hosts: ["DB.lab:5432", "10.0.0.7", "[fd00::7]:80"] } });
    for (const [host, port] of [
      ["db.lab", 5432],
      ["10.0.0.7", 1],
      ["fd00::7", 80],
      ["localhost", 22],
    ] as const)
      expect(forbidTunnel([hosts], { host, port })).toBeNull();
    for (const [host, port] of [
      ["db.lab", 22],
      ["10.0.0.70", 1],
      ["fd00::7", 81],
    ] as const)
      expect(forbidTunnel([hosts], { host, port })).toContain(`${host}:${port}`);
  });

  it("[P53] of several files each has to allow it", () => {
    const wide = policy({ tunnels: { hosts: ["gpu2"] } });
    expect(forbidTunnel([policy({ tunnels: { ports: [22] } }), wide], { host: "gpu2", port: 80 })).toContain(
      "gpu2:80",
    );
    expect(forbidTunnel([wide, wide], { host: "gpu2", port: 80 })).toBeNull();
    expect(forbidTunnel([policy({ tunnels: true }), policy({ tunnels: false })], own)).toContain("forbids");
  });

  it("[P53] a file that is not understood allows nothing, and says what is wrong with it", () => {
    const bad = [
      readPolicy("p", "{tunnels: false}"),
      policy({ tunnel: false }),
      policy({ tunnels: "no" }),
      policy({ tunnels: { ports: [0] } }),
      policy({ tunnels: { port: [80] } }),
      policy({ tunnels: { hosts: ["http://x"] } }),
      policy([]),
    ];
    for (const file of bad) {
      expect(forbidTunnel([file], own)).toMatch(
        /cannot be followed, so no tunnel is opened: .*(JSON|understood)/,
      );
      expect(tunnelsAllowed([file])).toBe("forbidden");
    }
  });
});
