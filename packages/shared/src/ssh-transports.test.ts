import { describe, expect, it } from "vitest";
import { parseTransports } from "./ssh-transports.ts";

const machine = { host: "10.0.0.5", name: "gpu5" };

describe("[E61] transports as people write them", () => {
  it("[E61] in their order, with the machine's name on each", () => {
    expect(parseTransports("tailscale=%n, direct,cloudflare=%n.example.com", machine)).toEqual([
      { kind: "tailscale", host: "gpu5" },
      { kind: "direct" },
      { kind: "cloudflare", host: "gpu5.example.com" },
    ]);
    expect(parseTransports("direct=%h", machine)).toEqual([{ kind: "direct", host: "10.0.0.5" }]);
  });

  it.each([
    ["", /^Nothing is no transport/],
    ["direct,", /^Nothing is no transport/],
    ["carrier-pigeon", /^carrier-pigeon is no transport.*direct, tailscale, cloudflare/],
    ["tailscale=", /^tailscale= is no transport/],
    ["tailscale=-oProxyCommand=x", /is no transport/],
    ["cloudflare=a b", /is no transport/],
    ["Direct", /^Direct is no transport/],
  ])("[E61] %j is refused with what to write", (text, words) => {
    expect(() => parseTransports(text, machine)).toThrow(words);
  });
});
