import { SshError } from "../ssh-error.ts";
import { checkUser, parseDestination, parseJumps } from "./host-settings.ts";

/** A machine of a list. What is absent takes the defaults of whoever asks. */
export type InventoryHost = {
  /** As the file calls it: an alias of a configuration, or an address. */
  alias: string;
  host: string;
  port: number | undefined;
  user: string | undefined;
  /** A path on the machine of whoever wrote the file. */
  identityFile: string | undefined;
  /** ProxyJump's own words. */
  jump: string | undefined;
  /** Of the inventory, `NAME` of the target; undefined takes the machine's own. */
  name: string | undefined;
};

export type InventoryFormat = "list" | "ansible";
export type Inventory = { hosts: InventoryHost[]; problems: { line: number; message: string }[] };

const RANGE_MAX = 10_000;
const HOSTS_MAX = 10_000;
const GROUPS_MAX = 1_000;
/** Of lines that cannot be understood so many are named: each costs more than a line that can. */
const PROBLEMS_MAX = 1_000;
/** A file may name one machine many times, in ranges too. */
const NAMINGS_MAX = 100_000;
/** The variables that are acted on; others are not kept. */
const VARIABLES = new Set([
  "ansible_connection",
  "ansible_host",
  "ansible_ssh_host",
  "ansible_port",
  "ansible_ssh_port",
  "ansible_user",
  "ansible_ssh_user",
  "ansible_ssh_private_key_file",
  "ansible_private_key_file",
  "ansible_ssh_common_args",
  "ansible_ssh_extra_args",
]);

/** `[section]` lines and `ansible_…` words are of an inventory; anything else is one machine a line. */
export function guessFormat(text: string): InventoryFormat {
  // Line by line: an expression over the whole text would look again from each of a million blank lines.
  const isSection = (line: string) => /^\[[^\]:]+(:\w+)?\]$/.test(line.trim());
  return /\bansible_\w+\s*=/.test(text) || text.split("\n").some(isSection) ? "ansible" : "list";
}

/** Machines of a list or of an Ansible inventory (INI). Lines that cannot be understood are named and left out. */
export function readInventory(text: string, format: InventoryFormat = guessFormat(text)): Inventory {
  return format === "list" ? readList(text) : readAnsible(text);
}

/** One machine a line: `[user@]host[:port] [name]`. */
function readList(text: string): Inventory {
  const inventory: Inventory = { hosts: [], problems: [] };
  const seen = new Map<string, string>();
  eachLine(text, inventory, (content) => {
    const [destination = "", name, ...rest] = content.split(/\s+/);
    if (rest.length > 0) throw new SshError("config_invalid", "more than a destination and a name");
    const { host, port, user } = parseDestination(destination);
    const found = { alias: host, host, port, user, identityFile: undefined, jump: undefined, name };
    add(inventory, seen, found);
  });
  return inventory;
}

type Variables = Map<string, string>;

function readAnsible(text: string): Inventory {
  const inventory: Inventory = { hosts: [], problems: [] };
  const hosts = new Map<string, { variables: Variables; groups: Set<string> }>();
  const groupVariables = new Map<string, Variables>();
  const groups = new Set<string>();
  const parents = new Map<string, Set<string>>();
  let namings = 0;
  let section = { group: "ungrouped", kind: "hosts" };
  eachLine(text, inventory, (content) => {
    const heading = /^\[([^\]:]+)(?::(\w+))?\]$/.exec(content);
    if (heading !== null) {
      const [, group = "", kind = "hosts"] = heading;
      // Until the heading is understood the lines below it are of no section.
      section = { group, kind: "refused" };
      if (!["hosts", "vars", "children"].includes(kind)) {
        throw new SshError("config_invalid", `a section cannot be of ${kind}`);
      }
      noteGroup(groups, group);
      section = { group, kind };
    } else if (section.kind === "refused") {
      return;
    } else if (section.kind === "vars") {
      const { name, value } = readVariable(content);
      const variables = groupVariables.get(section.group) ?? new Map();
      if (VARIABLES.has(name)) groupVariables.set(section.group, variables.set(name, value));
    } else if (section.kind === "children") {
      const child = content.split(/\s+/)[0] ?? "";
      noteGroup(groups, child);
      parents.set(child, (parents.get(child) ?? new Set()).add(section.group));
    } else {
      const [pattern = "", ...words] = splitWords(content);
      const own = words.map(readVariable).filter(({ name }) => VARIABLES.has(name));
      for (const alias of expandRanges(pattern)) {
        namings += 1;
        if (namings > NAMINGS_MAX)
          throw new SshError("config_invalid", `machines are named more than ${NAMINGS_MAX} times`);
        if (hosts.size >= HOSTS_MAX && !hosts.has(alias))
          throw new SshError("config_invalid", `more than ${HOSTS_MAX} machines`);
        const known = hosts.get(alias) ?? { variables: new Map(), groups: new Set() };
        known.groups.add(section.group);
        for (const { name, value } of own) known.variables.set(name, value);
        hosts.set(alias, known);
      }
    }
  });
  const seen = new Map<string, string>();
  const known = new Map<string, Variables>();
  for (const [alias, { variables, groups }] of hosts) {
    try {
      // Machines of one section have the same groups: what those say is gathered once.
      const key = JSON.stringify([...groups]);
      const shared = known.get(key) ?? inherited({ groups, groupVariables, parents });
      known.set(key, shared);
      const all = new Map(shared);
      for (const [name, value] of variables) all.set(name, value);
      add(inventory, seen, fromVariables(alias, all));
    } catch (error) {
      inventory.problems.push({ line: 0, message: `${alias}: ${messageOf(error)}` });
    }
  }
  return inventory;
}

/** A nearer group counts more than its parents; `all` counts least. */
function inherited(given: {
  groups: ReadonlySet<string>;
  groupVariables: ReadonlyMap<string, Variables>;
  parents: ReadonlyMap<string, ReadonlySet<string>>;
}): Variables {
  const order = new Set(given.groups);
  // A set grows while it is walked: parents of parents come along, each once.
  for (const group of order) for (const parent of given.parents.get(group) ?? []) order.add(parent);
  const farthestFirst = ["all", ...[...order].filter((group) => group !== "all").reverse()];
  return new Map(farthestFirst.flatMap((group) => [...(given.groupVariables.get(group) ?? [])]));
}

function fromVariables(alias: string, variables: Variables): InventoryHost {
  const one = (...names: string[]) =>
    names.map((name) => variables.get(name)).find((value) => value !== undefined);
  const connection = one("ansible_connection");
  if (connection !== undefined && !["ssh", "smart", "paramiko", "paramiko_ssh"].includes(connection)) {
    throw new SshError("config_invalid", `its connection is ${connection}, not ssh`);
  }
  const portText = one("ansible_port", "ansible_ssh_port");
  const destination = parseDestination(one("ansible_host", "ansible_ssh_host") ?? alias);
  const port = portText === undefined ? destination.port : Number(portText);
  if (port !== undefined && !(Number.isInteger(port) && port > 0 && port < 65_536)) {
    throw new SshError("config_invalid", `${portText} is no port`);
  }
  const common = `${one("ansible_ssh_common_args") ?? ""} ${one("ansible_ssh_extra_args") ?? ""}`;
  const jump = /(?:-J\s*|ProxyJump[= ])["']?([^\s"']+)/.exec(common)?.[1];
  if (jump !== undefined) parseJumps(jump);
  if (jump === undefined && /ProxyCommand/i.test(common)) {
    throw new SshError(
      "config_invalid",
      "its ProxyCommand would run on another machine than Ansible's: name a jump host (-J) instead",
    );
  }
  const user = one("ansible_user", "ansible_ssh_user");
  return {
    alias,
    host: destination.host,
    port,
    user: user === undefined ? destination.user : checkUser(user),
    identityFile: one("ansible_ssh_private_key_file", "ansible_private_key_file"),
    jump,
    name: undefined,
  };
}

function readVariable(text: string): { name: string; value: string } {
  const at = text.indexOf("=");
  const name = text.slice(0, Math.max(0, at)).trim();
  if (!/^[A-Za-z_]\w*$/.test(name))
    throw new SshError("config_invalid", `${JSON.stringify(text)} is no name=value`);
  const value = text.slice(at + 1).trim();
  return { name, value: value.replace(/^(["'])(.*)\1$/s, "$2") };
}

/** `gpu[01:10].lab` and `rack[a:c]`, as Ansible counts them. */
function* expandRanges(pattern: string): Generator<string> {
  const [whole, from = "", to = "", stepText] =
    /\[([0-9]+|[A-Za-z]):([0-9]+|[A-Za-z])(?::([0-9]+))?\]/.exec(pattern) ?? [];
  if (whole === undefined) {
    yield pattern;
    return;
  }
  const isNumber = /^\d+$/.test(from) && /^\d+$/.test(to);
  if (!isNumber && (/\d/.test(from) || /\d/.test(to)))
    throw new SshError("config_invalid", `${whole} is no range`);
  const [first, last] = isNumber ? [Number(from), Number(to)] : [from.charCodeAt(0), to.charCodeAt(0)];
  const step = Math.max(1, Number(stepText ?? 1));
  if (last < first || (last - first) / step > RANGE_MAX)
    throw new SshError("config_invalid", `${whole} is no range`);
  const width = from.startsWith("0") ? from.length : 0;
  for (let at = first; at <= last; at += step) {
    const text = isNumber ? String(at).padStart(width, "0") : String.fromCharCode(at);
    yield* expandRanges(pattern.replace(whole, () => text));
  }
}

/** Words with quotes, as an inventory line has them. */
function splitWords(content: string): string[] {
  return content.match(/(?:[^\s"']+|"[^"]*"|'[^']*')+/g) ?? [];
}

function eachLine(text: string, inventory: Inventory, take: (content: string) => void): void {
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const content = raw.replace(/(^|\s)[#;].*$/, "").trim();
    if (content === "") continue;
    const line = index + 1;
    if (inventory.problems.length >= PROBLEMS_MAX) {
      inventory.problems.push({ line, message: "this is no list of machines: the rest is left out" });
      return;
    }
    try {
      take(content);
    } catch (error) {
      inventory.problems.push({ line, message: messageOf(error) });
    }
  }
}

function noteGroup(groups: Set<string>, name: string): void {
  if (groups.size >= GROUPS_MAX && !groups.has(name))
    throw new SshError("config_invalid", `more than ${GROUPS_MAX} groups`);
  groups.add(name);
}

/** @param seen by address, what the file calls the machine that has it */
function add(inventory: Inventory, seen: Map<string, string>, found: InventoryHost): void {
  const key = JSON.stringify([found.host, found.port ?? null, found.user ?? null, found.jump ?? null]);
  const same = seen.get(key);
  if (same !== undefined) throw new SshError("config_invalid", `the same machine as ${same}, which counts`);
  if (inventory.hosts.length >= HOSTS_MAX)
    throw new SshError("config_invalid", `more than ${HOSTS_MAX} machines`);
  seen.set(key, found.name ?? found.alias);
  inventory.hosts.push(found);
}

const MESSAGE_CHARS_MAX = 300;

/** Cut: a word of a file may be as long as the file. */
function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.length > MESSAGE_CHARS_MAX ? `${message.slice(0, MESSAGE_CHARS_MAX)}…` : message;
}
