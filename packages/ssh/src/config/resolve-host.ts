import { matchesPatternList } from "../match-pattern.ts";
import { SshError } from "../ssh-error.ts";
import { type ConfigLine, type ConfigProblem, readConfigLines } from "./config-line.ts";
import { type HostSettings, parseJumps } from "./host-settings.ts";

/** A configuration as text, for files that a person uploads. Nothing in it is ever executed. */
export type ConfigSource = {
  /** For messages. */
  name: string;
  text: string;
  /** The files that an `Include` means, in order. Without it every Include is a problem that is named. */
  readInclude?: (pattern: string) => { name: string; text: string }[];
};

export type HostQuery = {
  alias: string;
  user?: string | undefined;
  port?: number | undefined;
  /** The person at this end. */
  localUser: string;
};

export type ResolvedHost = { settings: HostSettings; problems: ConfigProblem[] };

const INCLUDE_DEPTH_MAX = 16;
const DEFAULT_PORT = 22;
/** OpenSSH's own limit of identity files. */
const COLLECTED_MAX = 100;
/** The first value counts for all keywords but these, which collect theirs. */
const COLLECTING = new Set(["identityfile", "certificatefile"]);
const WHOLE_LINE = new Set(["proxycommand"]);
/** Keywords that do not change anything here but are no mistake either are too many to list: unknown ones are left out. */
const USED = new Set(
  "hostname port user identityfile identitiesonly identityagent certificatefile proxyjump proxycommand hostkeyalias userknownhostsfile connecttimeout".split(
    " ",
  ),
);

/**
 * What OpenSSH would make of this text for one host (checked against `ssh -G`), with one difference on purpose:
 * `Match exec` runs a command, so here it never matches and is named as a problem.
 */
export function resolveHost(source: ConfigSource, query: HostQuery): ResolvedHost {
  const reading: Reading = { query, values: new Map(), problems: [], isFinal: false, wantsFinal: false };
  if (query.user !== undefined) reading.values.set("user", [query.user]);
  if (query.port !== undefined) reading.values.set("port", [String(query.port)]);
  readSource(reading, source, { isActive: true, depth: 0 });
  if (reading.wantsFinal) {
    reading.isFinal = true;
    // The second pass would name the same problems again.
    const problems = [...reading.problems];
    readSource(reading, source, { isActive: true, depth: 0 });
    reading.problems = problems;
  }
  return { settings: toSettings(reading), problems: reading.problems };
}

type Reading = {
  query: HostQuery;
  values: Map<string, string[]>;
  problems: ConfigProblem[];
  isFinal: boolean;
  wantsFinal: boolean;
};

/** `isActive`: whether lines count here, from the Host or Match before them; an Include hands its own state down. */
type Place = { isActive: boolean; depth: number };

function readSource(reading: Reading, source: ConfigSource, place: Place): void {
  const { lines, problems } = readConfigLines(source.text);
  const where = source.name;
  for (const problem of problems) reading.problems.push({ where, ...problem });
  let isActive = place.isActive;
  for (const line of lines) {
    const problem = (message: string) => reading.problems.push({ where, line: line.line, message });
    if (line.keyword === "host") {
      isActive = place.isActive && matchesPatternList(reading.query.alias, line.words);
    } else if (line.keyword === "match") {
      isActive = matches(reading, line, problem) && place.isActive;
    } else if (line.keyword === "include") {
      if (place.depth >= INCLUDE_DEPTH_MAX) problem("files include each other without end");
      else if (source.readInclude === undefined)
        problem("Include is not followed here: put the files' lines in its place");
      else {
        for (const file of line.words.flatMap(source.readInclude)) {
          readSource(reading, { ...source, ...file }, { isActive, depth: place.depth + 1 });
        }
      }
    } else if (isActive && USED.has(line.keyword)) {
      keep(reading.values, line);
    }
  }
}

function keep(values: Map<string, string[]>, line: ConfigLine): void {
  const { keyword } = line;
  const value = WHOLE_LINE.has(keyword)
    ? [line.rest]
    : keyword === "userknownhostsfile"
      ? line.words
      : line.words.slice(0, 1);
  const known = values.get(keyword);
  if (COLLECTING.has(keyword)) {
    if (known?.includes(value[0] ?? "")) return;
    if ((known?.length ?? 0) >= COLLECTED_MAX)
      throw new SshError("config_invalid", `more than ${COLLECTED_MAX} times ${keyword}`);
    values.set(keyword, [...(known ?? []), ...value]);
    return;
  }
  // Of ProxyJump and ProxyCommand the first one of either counts.
  if (keyword === "proxyjump" && values.has("proxycommand")) return;
  if (keyword === "proxycommand" && values.has("proxyjump")) return;
  if (known === undefined) values.set(keyword, value);
}

function matches(reading: Reading, line: ConfigLine, problem: (message: string) => void): boolean {
  const { query, values } = reading;
  const words = [...line.words];
  let isMatch = true;
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    const isNegated = word.startsWith("!");
    const [criterion = "", inline] = word
      .slice(isNegated ? 1 : 0)
      .toLowerCase()
      .split("=", 2);
    if (criterion === "all") continue;
    let holds: boolean;
    if (criterion === "final" || criterion === "canonical") {
      // Names are never made canonical here, so `canonical` holds in the second pass only, as `final` does.
      reading.wantsFinal ||= criterion === "final";
      holds = reading.isFinal;
    } else {
      const argument = inline === undefined ? words.shift() : word.slice(word.indexOf("=") + 1);
      if (argument === undefined) {
        problem(`Match ${criterion} has no value`);
        return false;
      }
      const patterns = argument.split(",");
      if (criterion === "host") holds = matchesPatternList(hostNameOf(reading), patterns);
      else if (criterion === "originalhost") holds = matchesPatternList(query.alias, patterns);
      else if (criterion === "user")
        holds = matchesPatternList(values.get("user")?.[0] ?? query.localUser, patterns);
      else if (criterion === "localuser") holds = matchesPatternList(query.localUser, patterns);
      else {
        problem(
          criterion === "exec"
            ? "Match exec runs a command: it is not run here, and its block is left out"
            : `Match ${criterion} is not understood here, and its block is left out`,
        );
        return false;
      }
    }
    if (holds === isNegated) isMatch = false;
  }
  return isMatch;
}

function hostNameOf({ query, values }: Reading): string {
  return (values.get("hostname")?.[0] ?? query.alias).replaceAll(/%([h%])/g, (_, token) =>
    token === "h" ? query.alias : "%",
  );
}

function toSettings(reading: Reading): HostSettings {
  const { query, values } = reading;
  const one = (keyword: string) => values.get(keyword)?.[0];
  const unlessNone = (keyword: string) => (one(keyword)?.toLowerCase() === "none" ? undefined : one(keyword));
  const port = Number(one("port") ?? DEFAULT_PORT);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new SshError("config_invalid", `Port ${one("port")} of ${query.alias} is not a port`);
  }
  return {
    alias: query.alias,
    hostName: hostNameOf(reading).toLowerCase(),
    port,
    user: one("user") ?? query.localUser,
    identityFiles: (values.get("identityfile") ?? []).filter((file) => file.toLowerCase() !== "none"),
    identitiesOnly: one("identitiesonly")?.toLowerCase() === "yes",
    identityAgent: one("identityagent"),
    certificateFiles: values.get("certificatefile") ?? [],
    proxyJump: parseJumps(one("proxyjump") ?? "none"),
    proxyCommand: unlessNone("proxycommand"),
    hostKeyAlias: one("hostkeyalias"),
    userKnownHostsFiles: values.get("userknownhostsfile") ?? [],
    connectTimeoutS: one("connecttimeout") === undefined ? undefined : Number(one("connecttimeout")),
  };
}
