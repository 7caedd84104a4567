import { expect, test } from "vitest";
import { resolveHost } from "./resolve-host.ts";
import { type RouteOptions, routeOfHost } from "./route-of-host.ts";

function route(text: string, alias: string, isOperators = true) {
  const resolve: RouteOptions["resolve"] = (query) =>
    resolveHost({ name: "config", text }, { ...query, localUser: "me" }).settings;
  return routeOfHost({ alias }, { resolve, isOperators });
}

test("[H27] every hop is a host of the configuration, with its own name, port and user, and its own hops before it", async () => {
  const text = `Host inner
 HostName 10.0.0.9
 ProxyJump middle,root@last:2200
Host middle
 HostName middle.example
 User mid
 ProxyJump outer
Host outer
 Port 2222
Host last
 HostName last.example
 User ignored
 ProxyJump never
`;
  const { settings, hops, proxyCommand } = await route(text, "inner");
  expect(settings.hostName).toBe("10.0.0.9");
  expect(hops.map(({ hostName, port, user }) => `${user}@${hostName}:${port}`)).toEqual([
    "me@outer:2222",
    "mid@middle.example:22",
    "root@last.example:2200",
  ]);
  expect(proxyCommand).toBeUndefined();
});

test("[H27] jump hosts in a circle are refused", async () => {
  const text = "Host a\n ProxyJump b\nHost b\n ProxyJump c\nHost c\n ProxyJump b\n";
  await expect(route(text, "a")).rejects.toThrow(/circle: a → b → c → b/);
});

test("[H27] a ProxyCommand runs only from the operator's own configuration", async () => {
  const text = "Host a\n ProxyCommand nc %h %p\nHost b\n ProxyJump a\n";
  expect((await route(text, "a")).proxyCommand).toBe("nc %h %p");
  await expect(route(text, "a", false)).rejects.toMatchObject({ failure: "unsupported" });
  await expect(route(text, "b", false)).rejects.toThrow(/may not do that/);
  await expect(route(text, "b")).rejects.toThrow(/engine openssh/);
});
