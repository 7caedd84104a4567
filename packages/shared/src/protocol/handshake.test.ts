import { describe, expect, it } from "vitest";
import { AssertionError } from "../assert.ts";
import { newKeyPair, publicKeyOf, signText, verifyText } from "../crypto/ed25519.ts";
import { keyPin, sha256 } from "../crypto/fingerprint.ts";
import {
  challengeTranscript,
  commonProtocol,
  enrollTranscript,
  goodbyeTranscript,
  type HandshakeTerms,
  handshakeTranscript,
  helloDigestText,
  nodeProofTranscript,
  refusalTranscript,
} from "./handshake.ts";
import { isLoopbackOrigin, parseServerOrigin } from "./origin.ts";

const terms: HandshakeTerms = {
  role: "agent",
  nodeId: "t_0123456789",
  serverNonce: "c2VydmVy",
  agentNonce: "YWdlbnQ",
  protocol: 1,
  origin: "https://nexus.example.org",
  generation: 4,
  helloSha256: "aGVsbG8",
};

describe("handshake", () => {
  it("[P4] every term changes what is signed", () => {
    const other: HandshakeTerms = {
      role: "server",
      nodeId: "t_9876543210",
      serverNonce: "eA",
      agentNonce: "eQ",
      protocol: 2,
      origin: "https://other.example.org",
      generation: 5,
      helloSha256: "eg",
    };
    const texts = new Set([handshakeTranscript(terms)]);
    for (const key of Object.keys(terms)) {
      texts.add(handshakeTranscript({ ...terms, [key]: other[key as keyof HandshakeTerms] }));
    }
    expect(texts.size).toBe(1 + Object.keys(terms).length);
  });

  it("[P4] transcripts of different acts are never equal", () => {
    const enroll = { ...terms, tokenId: terms.nodeId, publicKey: "a2V5", subject: terms.nodeId };
    const texts = [
      handshakeTranscript(terms),
      refusalTranscript({ ...terms, code: "node_revoked" }),
      goodbyeTranscript(terms),
      nodeProofTranscript({ ...terms, challenge: terms.serverNonce }),
      challengeTranscript({ ...terms, subject: terms.nodeId }),
      enrollTranscript({ ...enroll, role: "token" }),
      enrollTranscript({ ...enroll, role: "node" }),
      enrollTranscript({ ...enroll, role: "server" }),
    ];
    expect(new Set(texts).size).toBe(texts.length);
  });

  it("[P4] a field that could shift the others is never signed", () => {
    expect(() => handshakeTranscript({ ...terms, nodeId: "t_1|x" })).toThrow(AssertionError);
  });

  it("[P4] the digest covers every field of hello but the signature", () => {
    const hello = {
      type: "hello" as const,
      nodeId: "t_1",
      protocolMin: 1,
      protocolMax: 1,
      agentNonce: "a",
      generation: 0,
      agentVersion: "1",
      bootId: "b",
      origin: "o",
    };
    const texts = new Set([helloDigestText(hello)]);
    for (const key of Object.keys(hello)) texts.add(helloDigestText({ ...hello, [key]: "changed" }));
    expect(texts.size).toBe(Object.keys(hello).length);
  });

  it("[P5] the highest common version is spoken, and none when the ranges do not meet", () => {
    const range = (protocolMin: number, protocolMax: number) => ({ protocolMin, protocolMax });
    expect(commonProtocol(range(1, 3), range(2, 5))).toBe(3);
    expect(commonProtocol(range(2, 2), range(1, 2))).toBe(2);
    expect(commonProtocol(range(1, 1), range(2, 3))).toBeNull();
    expect(commonProtocol(range(4, 4), range(2, 3))).toBeNull();
  });
});

describe("keys", () => {
  it("[P4] a signature verifies with its key and text only", () => {
    const pair = newKeyPair();
    const signature = signText(pair.seed, "text");
    expect(publicKeyOf(pair.seed)).toBe(pair.publicKey);
    expect(verifyText(pair.publicKey, "text", signature)).toBe(true);
    expect(verifyText(pair.publicKey, "texts", signature)).toBe(false);
    expect(verifyText(newKeyPair().publicKey, "text", signature)).toBe(false);
    for (const junk of ["", "AA", "!", "x".repeat(43)]) {
      expect(verifyText(junk, "text", signature)).toBe(false);
      expect(verifyText(pair.publicKey, "text", junk)).toBe(false);
    }
  });

  it("[P4] signing agrees with RFC 8032, test 1", () => {
    const seed = Buffer.from("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "hex");
    const text = signText(seed.toString("base64url"), "");
    expect(Buffer.from(text, "base64url").toString("hex").slice(0, 32)).toBe(
      "e5564300c360ac729086e2cc806e828a",
    );
    expect(keyPin(publicKeyOf(seed.toString("base64url")))).toBe(
      sha256(Buffer.from("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "hex")),
    );
  });
});

describe("origin", () => {
  it("[E4] only loopback addresses may be plain http", () => {
    for (const origin of ["http://127.0.0.1:1", "http://localhost", "http://[::1]:9", "http://127.8.0.1"]) {
      expect(isLoopbackOrigin(origin)).toBe(true);
    }
    for (const origin of [
      "http://127.0.0.1.example.org",
      "http://10.0.0.1",
      "http://localhost.example.org",
    ]) {
      expect(isLoopbackOrigin(origin)).toBe(false);
    }
  });

  it("[E1] an address has one spelling", () => {
    expect(parseServerOrigin("HTTPS://Nexus.Example.org:443/x?y")).toBe("https://nexus.example.org");
    for (const bad of ["ftp://x", "nexus", "https://u:p@x", "javascript:1", ""]) {
      expect(parseServerOrigin(bad)).toBeNull();
    }
  });
});
