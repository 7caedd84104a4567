/**
 * `postgresql://user@localhost/name?host=/run/postgresql`: the form that libpq has for a Unix socket or another host. The
 * driver knows no `host` in the query and would go to the address before it.
 */
export function hostInQuery(address: string): { url: string; host: string } | null {
  const url = new URL(address);
  const host = url.searchParams.get("host");
  if (host === null || host === "") return null;
  url.searchParams.delete("host");
  return { url: url.href, host };
}
