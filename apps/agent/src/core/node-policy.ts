/**
 * What the owner of this machine allows the control plane to do here, as `policy.json` says it; pure. Without a file tunnels lead to
 * every port of the machine itself and to nothing beyond. A file that is not understood allows nothing that it could forbid.
 */
import * as z from "zod/mini";

const port = z.int().check(z.gte(1), z.lte(65_535));
const portRange = z.string().check(z.regex(/^\d{1,5}-\d{1,5}$/));
/** `storage.lab`, `10.0.0.7:5432`, `[fd00::7]:5432`. */
const hostRule = z.string().check(z.regex(/^(\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?$/));

const policySchema = z.strictObject({
  tunnels: z.optional(
    z.union([
      z.boolean(),
      z.strictObject({
        /** Of this machine; all when absent. */
        ports: z.optional(z.array(z.union([port, portRange])).check(z.maxLength(1000))),
        /** Beyond this machine; none when absent. */
        hosts: z.optional(z.array(hostRule).check(z.maxLength(1000))),
      }),
    ]),
  ),
});

export type NodePolicy = { tunnels: boolean | { ports?: (number | string)[]; hosts?: string[] } };
export type PolicyFile = { path: string } & ({ policy: NodePolicy } | { problem: string });

const LOOPBACK_HOSTS = ["localhost", "127.0.0.1", "::1"];

/** @param text the content of the file */
export function readPolicy(path: string, text: string): PolicyFile {
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch (error) {
    return { path, problem: `it is not JSON: ${error instanceof Error ? error.message : String(error)}` };
  }
  const parsed = policySchema.safeParse(given);
  if (parsed.success) {
    const { tunnels } = parsed.data;
    return { path, policy: { tunnels: tunnels === undefined ? true : plainRules(tunnels) } };
  }
  const issue = parsed.error.issues[0];
  const place = issue?.path.map(String).join(".") || "its content";
  return { path, problem: `${place} is not understood (${issue?.message})` };
}

/** @returns why it is forbidden; null when each file allows it. */
export function forbidTunnel(
  files: readonly PolicyFile[],
  to: { host: string; port: number },
): string | null {
  const isOwn = LOOPBACK_HOSTS.includes(to.host);
  const where = isOwn ? `port ${to.port}` : `${to.host}:${to.port}`;
  for (const file of files) {
    if ("problem" in file) return `${file.path} cannot be followed, so no tunnel is opened: ${file.problem}`;
    const { tunnels } = file.policy;
    if (tunnels === false) return `${file.path} forbids tunnels`;
    if (isOwn && typeof tunnels === "object" && tunnels.ports && !tunnels.ports.some(holds(to.port)))
      return `${file.path} does not name ${where}`;
  }
  if (isOwn || (files.length > 0 && files.every((file) => "policy" in file && namesHost(file.policy, to))))
    return null;
  return `a tunnel leads to the machine itself only, unless its policy.json names ${where} under tunnels.hosts`;
}

/** For the control plane, which may know another way to this machine. */
export function tunnelsAllowed(files: readonly PolicyFile[]): "open" | "limited" | "forbidden" {
  if (files.some((file) => "problem" in file || file.policy.tunnels === false)) return "forbidden";
  const hasPorts = files.some(
    (file) => "policy" in file && typeof file.policy.tunnels === "object" && file.policy.tunnels.ports,
  );
  return hasPorts ? "limited" : "open";
}

/** For `nexus-agent status`. */
export function tunnelsText(files: readonly PolicyFile[]): string {
  const forbidding = files.find((file) => "problem" in file || file.policy.tunnels === false);
  if (forbidding !== undefined) {
    const why = "problem" in forbidding ? `cannot be followed: ${forbidding.problem}` : "says so";
    return `forbidden: ${forbidding.path} ${why}`;
  }
  const ruling = files.filter((file) => "policy" in file && typeof file.policy.tunnels === "object");
  if (ruling.length === 0) return "to every port of this machine, and to no other";
  return `as ${ruling.map(({ path }) => path).join(" and ")} ${ruling.length === 1 ? "says" : "say"}`;
}

function plainRules(
  tunnels: boolean | { ports?: (number | string)[] | undefined; hosts?: string[] | undefined },
) {
  if (typeof tunnels === "boolean") return tunnels;
  const { ports, hosts } = tunnels;
  return { ...(ports === undefined ? {} : { ports }), ...(hosts === undefined ? {} : { hosts }) };
}

function holds(port: number): (rule: number | string) => boolean {
  return (rule) => {
    if (typeof rule === "number") return rule === port;
    const [from = 0, to = 0] = rule.split("-").map(Number);
    return from <= port && port <= to;
  };
}

function namesHost({ tunnels }: NodePolicy, to: { host: string; port: number }): boolean {
  if (typeof tunnels !== "object") return false;
  return (tunnels.hosts ?? []).some((rule) => {
    const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(rule) ?? [];
    const host = (bracketed ?? plain ?? "").toLowerCase();
    return host === to.host.toLowerCase() && (port === undefined || Number(port) === to.port);
  });
}
