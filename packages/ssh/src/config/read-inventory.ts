import { SshError } from "../ssh-error.ts";
import { parseDestination } from "./host-settings.ts";

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

/** `[section]` lines and `ansible_…` words are of an inventory; anything else is one machine a line. */
export function guessFormat(text: string): InventoryFormat {
  return /^\s*\[[^\]:]+(:\w+)?\]\s*$/m.test(text) || /\bansible_\w+\s*=/.test(text) ? "ansible" : "list";
}

/** Machines of a list or of an Ansible inventory (INI). Lines that cannot be understood are named and left out. */
export function readInventory(text: string, format: InventoryFormat = guessFormat(text)): Inventory {
  return format === "list" ? readList(text) : readAnsible(text);
}

/** One machine a line: `[user@]host[:port] [name]`. */
function readList(text: string): Inventory {
  const inventory: Inventory = { hosts: [], problems: [] };
  eachLine(text, inventory, (content) => {
    const [destination = "", name, ...rest] = content.split(/\s+/);
    if (rest.length > 0) throw new SshError("config_invalid", "more than a destination and a name");
    const { host, port, user } = parseDestination(destination);
    add(inventory, { alias: host, host, port, user, identityFile: undefined, jump: undefined, name });
  });
  return inventory;
}

type Variables = Map<string, string>;

function readAnsible(text: string): Inventory {
  const inventory: Inventory = { hosts: [], problems: [] };
  const hosts = new Map<string, { variables: Variables; groups: Set<string> }>();
  const groupVariables = new Map<string, Variables>();
  const parents = new Map<string, Set<string>>();
  let section = { group: "ungrouped", kind: "hosts" };
  eachLine(text, inventory, (content) => {
    const heading = /^\[([^\]:]+)(?::(\w+))?\]$/.exec(content);
    if (heading !== null) {
      section = { group: heading[1] ?? "", kind: heading[2] ?? "hosts" };
      if (!["hosts", "vars", "children"].includes(section.kind)) {
        throw new SshError("config_invalid", `a section cannot be of ${section.kind}`);
      }
    } else if (section.kind === "vars") {
      const { name, value } = readVariable(content);
      const variables = groupVariables.get(section.group) ?? new Map();
      groupVariables.set(section.group, variables.set(name, value));
    } else if (section.kind === "children") {
      const child = content.split(/\s+/)[0] ?? "";
      parents.set(child, (parents.get(child) ?? new Set()).add(section.group));
    } else {
      const [pattern = "", ...words] = splitWords(content);
      for (const alias of expandRanges(pattern)) {
        const known = hosts.get(alias) ?? { variables: new Map(), groups: new Set() };
        known.groups.add(section.group);
        for (const { name, value } of words.map(readVariable)) known.variables.set(name, value);
        hosts.set(alias, known);
        if (hosts.size > HOSTS_MAX) throw new SshError("config_invalid", `more than ${HOSTS_MAX} machines`);
      }
    }
  });
  for (const [alias, { variables, groups }] of hosts) {
    try {
      const all = inherited({ groups, groupVariables, parents });
      for (const [name, value] of variables) all.set(name, value);
      add(inventory, fromVariables(alias, all));
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
  const order = [...given.groups];
  // An array grows while it is walked: parents of parents come along, each once.
  for (const group of order) {
    for (const parent of given.parents.get(group) ?? []) if (!order.includes(parent)) order.push(parent);
  }
  const farthestFirst = ["all", ...order.filter((group) => group !== "all").reverse()];
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
  return {
    alias,
    host: destination.host,
    port,
    user: one("ansible_user", "ansible_ssh_user") ?? destination.user,
    identityFile: one("ansible_ssh_private_key_file", "ansible_private_key_file"),
    jump: /(?:-J\s*|ProxyJump[= ])["']?([^\s"']+)/.exec(common)?.[1],
    name: undefined,
  };
}

function readVariable(text: string): { name: string; value: string } {
  const [, name, value] = /^\s*([A-Za-z_]\w*)\s*=\s*(.*?)\s*$/s.exec(text) ?? [];
  if (name === undefined || value === undefined)
    throw new SshError("config_invalid", `${JSON.stringify(text)} is no name=value`);
  return { name, value: value.replace(/^(["'])(.*)\1$/s, "$2") };
}

/** `gpu[01:10].lab` and `rack[a:c]`, as Ansible counts them. */
function expandRanges(pattern: string): string[] {
  const [whole, from = "", to = "", stepText] =
    /\[([0-9]+|[A-Za-z]):([0-9]+|[A-Za-z])(?::([0-9]+))?\]/.exec(pattern) ?? [];
  if (whole === undefined) return [pattern];
  const isNumber = /^\d+$/.test(from) && /^\d+$/.test(to);
  if (!isNumber && (/\d/.test(from) || /\d/.test(to)))
    throw new SshError("config_invalid", `${whole} is no range`);
  const [first, last] = isNumber ? [Number(from), Number(to)] : [from.charCodeAt(0), to.charCodeAt(0)];
  const step = Math.max(1, Number(stepText ?? 1));
  if (last < first || (last - first) / step > RANGE_MAX)
    throw new SshError("config_invalid", `${whole} is no range`);
  const width = from.startsWith("0") ? from.length : 0;
  const texts: string[] = [];
  for (let at = first; at <= last; at += step)
    texts.push(isNumber ? String(at).padStart(width, "0") : String.fromCharCode(at));
  return texts.flatMap((text) => expandRanges(pattern.replace(whole, () => text)));
}

/** Words with quotes, as an inventory line has them. */
function splitWords(content: string): string[] {
  return content.match(/(?:[^\s"']+|"[^"]*"|'[^']*')+/g) ?? [];
}

function eachLine(text: string, inventory: Inventory, take: (content: string) => void): void {
  text.split(/\r?\n/).forEach((raw, index) => {
    const content = raw.replace(/(^|\s)[#;].*$/, "").trim();
    if (content === "") return;
    try {
      take(content);
    } catch (error) {
      inventory.problems.push({ line: index + 1, message: messageOf(error) });
    }
  });
}

function add(inventory: Inventory, host: InventoryHost): void {
  const isSame = (one: InventoryHost) =>
    one.host === host.host && one.port === host.port && one.user === host.user;
  if (!inventory.hosts.some(isSame)) inventory.hosts.push(host);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
