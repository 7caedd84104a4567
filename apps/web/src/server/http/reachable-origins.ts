import { hostname, networkInterfaces } from "node:os";

/** Names and addresses under which a server that listens on `host` can be dialled, the most useful first. */
export function reachableHosts(host: string): string[] {
  if (host !== "0.0.0.0" && host !== "::") return host === "127.0.0.1" ? ["127.0.0.1", "localhost"] : [host];
  const outward = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal, family }) => !internal && family === "IPv4")
    .map(({ address }) => address);
  return [...outward, hostname(), "127.0.0.1", "localhost"];
}

export function originsOf(options: {
  publicUrl: string | undefined;
  scheme: "http" | "https";
  hosts: readonly string[];
  port: number;
}): string[] {
  const { publicUrl, scheme, hosts, port } = options;
  const direct = hosts.map((host) => `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}`);
  // `URL` drops a scheme's own port, as browsers do in `Origin`.
  return [...(publicUrl === undefined ? [] : [publicUrl]), ...direct].map((text) => new URL(text).origin);
}
