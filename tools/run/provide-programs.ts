import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { REPOSITORY } from "../code/source.ts";
import { findProgram } from "./find-program.ts";
import { runCommand } from "./run-command.ts";

const APT_TIMEOUT_MS = 8 * 60_000;

/** A program that tests need and npm does not bring. */
type Needed = {
  what: string;
  needed: boolean;
  find(): string | undefined;
  debianPackages: string[];
  /** Whether installing it changes nothing but the disk. */
  quiet: boolean;
  otherwise: string;
};

/** What was found, as environment for the test runs; or what a person must install, in a sentence each. */
export type Provided = { env: Record<string, string>; missing: string[] };

/**
 * Makes sure that what the tests need is there. Root on Debian gets it installed; everybody else is told what to install.
 * Only what some test uses is looked for.
 */
export async function providePrograms(): Promise<Provided> {
  const absent = needs().filter((one) => one.needed && one.find() === undefined);
  const installable = absent.filter((one) => one.quiet && mayInstall());
  if (installable.length > 0) await aptInstall(installable.flatMap((one) => one.debianPackages));
  const env: Record<string, string> = {};
  const missing: string[] = [];
  for (const one of needs().filter((need) => need.needed)) {
    const path = one.find();
    if (path !== undefined) env[one.what === "Chromium" ? "CHROMIUM_PATH" : "SSHD_PATH"] = path;
    else missing.push(`${one.what} is missing: ${one.otherwise}`);
  }
  return { env, missing };
}

function needs(): Needed[] {
  return [
    {
      what: "Chromium",
      needed: globSync("tests/e2e/**/*.e2e.ts", { cwd: REPOSITORY }).length > 0,
      find: () =>
        findProgram([
          process.env.CHROMIUM_PATH,
          "chromium",
          "chromium-browser",
          "google-chrome",
          "google-chrome-stable",
          "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
          "/Applications/Chromium.app/Contents/MacOS/Chromium",
        ]),
      // Without a font the pages of a bare server are boxes.
      debianPackages: ["chromium", "fonts-dejavu-core"],
      quiet: true,
      otherwise:
        "install Chromium or Chrome, or set CHROMIUM_PATH (Debian: apt-get install chromium fonts-dejavu-core)",
    },
    {
      what: "sshd",
      needed: existsSync(join(REPOSITORY, "packages/ssh/package.json")),
      find: () => findProgram([process.env.SSHD_PATH, "sshd"]),
      debianPackages: ["openssh-server", "openssh-client"],
      // Debian's package starts a server on port 22 where systemd runs: that is for its owner to decide.
      quiet: !existsSync("/run/systemd/system"),
      otherwise: "install the OpenSSH server, or set SSHD_PATH (Debian: apt-get install openssh-server)",
    },
  ];
}

function mayInstall(): boolean {
  return process.getuid?.() === 0 && isDebian() && findProgram(["apt-get"]) !== undefined;
}

/** Ubuntu's `chromium` is a door to a snap, which a container cannot open: only Debian itself counts. */
function isDebian(): boolean {
  try {
    return /^ID="?debian"?$/m.test(readFileSync("/etc/os-release", "utf8"));
  } catch {
    return false;
  }
}

async function aptInstall(packages: string[]): Promise<void> {
  process.stdout.write(`installing ${packages.join(" ")} for the tests (apt-get)\n`);
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  for (const argv of [
    ["apt-get", "update", "-q"],
    ["apt-get", "install", "-q", "-y", "--no-install-recommends", ...packages],
  ]) {
    const ended = await runCommand({ argv, env, timeoutMs: APT_TIMEOUT_MS, output: "keep" });
    if (ended.exitCode === 0) continue;
    process.stdout.write(`${argv.join(" ")} failed with ${ended.exitCode}:\n${ended.output}\n`);
    return;
  }
}
