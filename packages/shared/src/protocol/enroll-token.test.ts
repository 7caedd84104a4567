import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NexusError } from "../errors.ts";
import { fromBase64Url, toBase64Url } from "./base64url.ts";
import { crc32 } from "./crc32.ts";
import { decodeEnrollToken, ENROLL_TOKEN_PREFIX, encodeEnrollToken } from "./enroll-token.ts";

const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(toBase64Url);
const parts = fc
  .record({
    origin: fc.constantFrom("http://127.0.0.1:54323", "https://nexus.example.org", "https://[fd00::1]:8443"),
    identityPin: bytes32,
    spkiPin: fc.option(bytes32),
    tokenId: fc.constantFrom("et_0123456789", "et_zyxwvtsrqp"),
    seed: bytes32,
  })
  .map((given) => ({ ...given, spkiPin: given.origin.startsWith("https:") ? given.spkiPin : null }));

function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof NexusError) return error.code;
    throw error;
  }
  return "none";
}

describe("enrolment token", () => {
  it("[E1] a token carries address, pins, id and seed", () => {
    void fc.assert(
      fc.property(parts, (given) => {
        expect(decodeEnrollToken(` ${encodeEnrollToken(given)}\n`)).toEqual(given);
      }),
    );
  });

  it("[E2] a forged token that pins a certificate where there is none is refused, whatever its checksum", () => {
    const pin = toBase64Url(new Uint8Array(32));
    const given = { identityPin: pin, spkiPin: pin, tokenId: "et_0123456789", seed: pin };
    const good = encodeEnrollToken({ ...given, origin: "https://127.0.0.1" });
    const body = fromBase64Url(good.slice(ENROLL_TOKEN_PREFIX.length))?.slice(0, -4) ?? new Uint8Array();
    const at = body.length - "https://127.0.0.1".length;
    const forged = new Uint8Array([
      ...body.slice(0, at - 1),
      16,
      ...new TextEncoder().encode("http://127.0.0.1"),
    ]);
    const whole = new Uint8Array([...forged, 0, 0, 0, 0]);
    new DataView(whole.buffer).setUint32(forged.length, crc32(forged));
    expect(() => decodeEnrollToken(ENROLL_TOKEN_PREFIX + toBase64Url(whole))).toThrow("pins a certificate");
    expect(() => encodeEnrollToken({ ...given, origin: "http://127.0.0.1" })).toThrow("pins a certificate");
  });

  it("[E2] a token with any one character changed is called damaged", () => {
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    void fc.assert(
      fc.property(parts, fc.nat(), fc.nat(63), (given, at, letter) => {
        const token = encodeEnrollToken(given);
        const place = ENROLL_TOKEN_PREFIX.length + (at % (token.length - ENROLL_TOKEN_PREFIX.length));
        const altered = token.slice(0, place) + alphabet[letter] + token.slice(place + 1);
        fc.pre(altered !== token);
        expect(codeOf(() => decodeEnrollToken(altered))).toBe("token_malformed");
      }),
      { numRuns: 500 },
    );
  });

  it("[E2] a token that was cut, doubled or is something else is called damaged", () => {
    void fc.assert(
      fc.property(parts, fc.nat(), (given, at) => {
        const token = encodeEnrollToken(given);
        expect(codeOf(() => decodeEnrollToken(token.slice(0, at % token.length)))).toBe("token_malformed");
        expect(codeOf(() => decodeEnrollToken(token + token))).toBe("token_malformed");
      }),
    );
    void fc.assert(
      fc.property(fc.string(), (text) => {
        expect(codeOf(() => decodeEnrollToken(text))).toBe("token_malformed");
        expect(codeOf(() => decodeEnrollToken(ENROLL_TOKEN_PREFIX + text))).toBe("token_malformed");
      }),
    );
  });

  it("[E2] the checksum is CRC-32", () => {
    expect(crc32(new TextEncoder().encode("123456789"))).toBe(0xcbf43926);
  });
});
