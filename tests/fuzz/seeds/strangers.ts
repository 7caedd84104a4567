import type { Json } from "../engine/mutate-json.ts";

const hello = {
  type: "hello",
  nodeId: "$node",
  ...{ protocolMin: 1, protocolMax: 1, agentNonce: "AAAA", generation: 3, agentVersion: "0.1.0" },
  ...{ bootId: "b0075", origin: "$origin", signature: "A".repeat(86) },
};
const say = (message: object): Json => ({ send: message as Json, payload: "" });
const upgrade = (path: string, more = "") =>
  `GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n${more}\r\n`;

/** What comes to the agents' door without a key. */
export const STRANGER_SCRIPTS: { steps: Json[] }[] = [
  { steps: [say(hello)] },
  { steps: [say({ ...hello, nodeId: "t_0000000000" })] },
  { steps: [say({ ...hello, origin: "https://elsewhere.example" })] },
  { steps: [say({ ...hello, protocolMin: 7, protocolMax: 9 })] },
  { steps: [say({ ...hello, signature: "AAAA" }), say(hello), say({ type: "started", attempts: [] })] },
  { steps: [say({ type: "inventory", generation: 1 }), say(hello)] },
  { steps: [say({ type: "exited", attempts: [] })] },
  { steps: [{ times: 20, ...(say({ type: "heartbeat", seq: 1 }) as object) }] },
  { steps: [say({ type: "challenge", serverNonce: "AAAA", protocolMin: 1, protocolMax: 1 })] },
  { steps: [{ text: "text" }, say(hello)] },
  { steps: [{ bytes: "\0\0\0\u0002{}" }] },
  { steps: [{ wire: "\u0082\u0005\0\0\0\u0001{" }, { wire: "\u00ff\u00ff\u00ff" }] },
  { steps: [{ do: "close" }, say(hello)] },
  { steps: [{ raw: upgrade("/ws/agent") }, { raw: upgrade("/ws/agent", "origin: https://a.example\r\n") }] },
  { steps: [{ raw: `${upgrade("/ws/agent")}\u0082\u0080\0\0\0\0` }, { raw: upgrade("/ws/agent/") }] },
  { steps: [{ raw: "GET /api/enroll/challenge?token=et_0&nonce=A HTTP/1.1\r\nhost: x\r\n\r\n" }] },
  { steps: [{ raw: "POST /api/enroll HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}" }] },
];
