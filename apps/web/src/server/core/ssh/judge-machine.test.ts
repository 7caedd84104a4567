import { describe, expect, it } from "vitest";
import { judgeMachine, type MachineFacts } from "./judge-machine.ts";

const GOOD: MachineFacts = {
  os: "Linux",
  arch: "x86_64",
  user: "ada",
  uid: 1000,
  home: "/home/ada",
  isHomeWritable: true,
  diskFreeKib: 10 * 1024 * 1024,
  libc: "glibc 2.36",
  nodes: [{ version: "24.1.0", path: "/usr/bin/node" }],
  gpuCount: 8,
  gpuProblem: null,
  hasSystemd: true,
  hasUserSystemd: true,
  isLingering: true,
  hasCron: true,
  hasSha256: true,
  hasGzip: true,
  epochS: 1_000_000,
  openFilesMax: 65_536,
  processesMax: null,
  reach: [
    { origin: "http://10.0.0.1:1", isReached: false },
    { origin: "http://10.0.0.2:1", isReached: true },
  ],
};
const WISHES = { allowRoot: false, bringNode: false, nowS: 1_000_010 };

const judge = (change: Partial<MachineFacts> = {}, wishes: Partial<typeof WISHES> = {}) =>
  judgeMachine({ ...GOOD, ...change }, { ...WISHES, ...wishes });
const errors = (change: Partial<MachineFacts>, wishes: Partial<typeof WISHES> = {}) =>
  judge(change, wishes).findings.filter(({ level }) => level === "error");

describe("a machine before it is enrolled", () => {
  it("[E44] a good one is told without warnings, with its own Node and the address that it reaches", () => {
    const plan = judge();
    expect(plan.findings.every(({ level }) => level === "info")).toBe(true);
    expect(plan).toMatchObject({
      nodePath: "/usr/bin/node",
      service: "systemd-user",
      origin: "http://10.0.0.2:1",
      machine: { os: "linux", arch: "x64" },
    });
  });

  it.each<[string, Partial<MachineFacts>, RegExp]>([
    ["root", { uid: 0 }, /jobs would run as root/],
    ["a home that cannot be written", { isHomeWritable: false }, /cannot be written/],
    ["no room", { diskFreeKib: 1024 }, /Only 1 MiB are free/],
    ["no room for a Node", { nodes: [], diskFreeKib: 100 * 1024 }, /420 MiB are needed/],
    ["an old C library", { nodes: [], libc: "glibc 2.17" }, /glibc 2.17 is older than 2.28/],
    ["musl", { nodes: [], libc: "musl libc (x86_64)" }, /is not glibc/],
    ["an unknown processor", { nodes: [], arch: "riscv64" }, /No Node can be brought to riscv64/],
    ["no checksums", { nodes: [{ version: "18.0.0", path: "/n" }], hasSha256: false }, /no sha256sum/],
    ["another system", { os: "FreeBSD" }, /not supported/],
    [
      "no way back",
      { reach: [{ origin: "http://127.0.0.1:1", isReached: false }] },
      /does not reach the control plane/,
    ],
  ])("[E44] %s ends it, with what to do", (_what, change, words) => {
    const found = errors(change);
    expect(found.map(({ text }) => text).join("\n")).toMatch(words);
    if (change.os === undefined) expect(found.some(({ fix }) => fix !== undefined)).toBe(true);
  });

  it("[E44] a Node that is new enough is used, unless one is to be brought", () => {
    const nodes = [
      { version: "18.20.0", path: "/usr/bin/node" },
      { version: "22.18.0", path: "/home/ada/.nvm/node" },
    ];
    expect(judge({ nodes }).nodePath).toBe("/home/ada/.nvm/node");
    expect(judge({ nodes: [{ version: "22.17.9", path: "/n" }] }).nodePath).toBeNull();
    expect(judge({}, { bringNode: true }).nodePath).toBeNull();
  });

  it("[E44] warnings do not end it: clock, limits, linger, GPUs, a service manager that is not there", () => {
    const { findings, service } = judge({
      ...{
        epochS: 2_000_000,
        openFilesMax: 256,
        gpuProblem: "no devices",
        hasUserSystemd: false,
        hasCron: false,
      },
    });
    expect(service).toBe("keep-running");
    expect(findings.filter(({ level }) => level === "error")).toEqual([]);
    const text = findings.map((finding) => finding.text).join("\n");
    expect(text).toMatch(/999990 s ahead/);
    expect(text).toMatch(/256 files/);
    expect(text).toMatch(/nvidia-smi fails: no devices/);
    expect(text).toMatch(/nothing starts it after a reboot/);
    expect(
      judge({ isLingering: false }).findings.some(({ fix }) => /enable-linger ada/.test(fix ?? "")),
    ).toBe(true);
    expect(judge({ uid: 0 }, { allowRoot: true }).service).toBe("systemd-system");
    expect(judge({ os: "Darwin" }).service).toBe("launchd");
  });
});
