/**
 * npm writes into the lock file only what its registry showed it: optional packages for other systems are left out
 * when their version was not to be seen at that moment, and `npm ci` then refuses the whole file. They are named here
 * by what their name says: exact version, system, processor. Without a hash: npm takes it where it installs them.
 */
export type LockEntry = {
  version?: string;
  dev?: boolean;
  optional?: boolean;
  cpu?: string[];
  os?: string[];
  libc?: string[];
  optionalDependencies?: Record<string, string>;
};
export type Lock = { packages: Record<string, LockEntry> };

/** What the lock file should name and does not: path in node_modules → entry. */
export function missingFrom(lock: Lock): Record<string, LockEntry> {
  const named = new Set(Object.keys(lock.packages).map((path) => path.replace(/^.*node_modules\//, "")));
  const missing: Record<string, LockEntry> = {};
  for (const entry of Object.values(lock.packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      // A range, or a name without a system, is nothing that we could write down for npm.
      if (named.has(name) || !/^\d/.test(version) || !isForOneSystem(name)) continue;
      missing[`node_modules/${name}`] = asEntry(name, version, entry.dev === true);
    }
  }
  return missing;
}

export function completeLock<L extends Lock>(lock: L): L {
  const packages = { ...lock.packages, ...missingFrom(lock) };
  const sorted = Object.entries(packages).sort(([a], [b]) => a.localeCompare(b, "en"));
  return { ...lock, packages: Object.fromEntries(sorted) };
}

const SYSTEMS: Record<string, string> = {
  android: "android",
  darwin: "darwin",
  freebsd: "freebsd",
  linux: "linux",
  openharmony: "openharmony",
  win32: "win32",
  windows: "win32",
};
const PROCESSORS: Record<string, string> = {
  "64": "x64",
  arm: "arm",
  arm64: "arm64",
  ia32: "ia32",
  ppc64: "ppc64",
  riscv64: "riscv64",
  s390x: "s390x",
  wasm32: "wasm32",
  x64: "x64",
};

function isForOneSystem(name: string): boolean {
  return partsOf(name).some((part) => part in PROCESSORS);
}

function asEntry(name: string, version: string, isDev: boolean): LockEntry {
  const parts = partsOf(name);
  const cpu = parts.flatMap((part) => PROCESSORS[part] ?? []);
  const os = parts.flatMap((part) => SYSTEMS[part] ?? []);
  const libc = parts.some((part) => part.startsWith("musl"))
    ? ["musl"]
    : parts.includes("gnu")
      ? ["glibc"]
      : [];
  return {
    version,
    cpu,
    ...(isDev ? { dev: true } : {}),
    ...(libc.length > 0 && os.includes("linux") ? { libc } : {}),
    optional: true,
    ...(os.length > 0 ? { os } : {}),
  };
}

function partsOf(name: string): string[] {
  return name.replace(/^@[^/]+\//, "").split("-");
}
