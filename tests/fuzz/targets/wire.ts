import { NexusError } from "@nexus/shared/errors";
import { decodeEnrollToken, encodeEnrollToken } from "@nexus/shared/protocol/enroll-token";
import { decodeFrame, encodeFrame } from "@nexus/shared/protocol/frame";
import { FRAME_BYTES_MAX } from "@nexus/shared/protocol/limits";
import type { AgentMessage, ServerMessage } from "@nexus/shared/protocol/messages";
import { type ReadMessage, readAgentMessage, readServerMessage } from "@nexus/shared/protocol/read-message";
import { encodeMessage } from "@nexus/shared/protocol/split-message";
import { BrokenPromise, parserTarget } from "../engine/fuzz-target.ts";
import { AGENT_MESSAGES, SERVER_MESSAGES } from "../seeds/messages.ts";

const TYPES = [...AGENT_MESSAGES, ...SERVER_MESSAGES].map(({ type }) => type);

/** Any bytes, read as either end reads them; what was read can be sent again and says the same. */
export const frameTarget = parserTarget({
  name: "frame",
  format: "bytes",
  bytesMax: FRAME_BYTES_MAX + 1024,
  words: [...TYPES, '"type":"', "[", "{", "\0\0\0\u0002{}"],
  seeds: [...AGENT_MESSAGES, ...SERVER_MESSAGES].map((message) => encodeFrame(message, Buffer.from("bytes"))),
  feed(input) {
    try {
      const { header, payload } = decodeFrame(input);
      if (typeof header === "object" && header !== null) sameAgain(header, payload);
    } catch (cause) {
      if (!(cause instanceof NexusError) || cause.code !== "protocol_error") throw cause;
    }
    for (const isBinary of [true, false]) {
      readsWell(readAgentMessage({ data: input, isBinary }));
      readsWell(readServerMessage({ data: input, isBinary }));
    }
  },
});

/** Headers as data: every field of every message wrong in its own way. */
export const messageTarget = parserTarget({
  name: "message",
  format: "json",
  words: TYPES,
  seeds: [...AGENT_MESSAGES, ...SERVER_MESSAGES],
  feed(input) {
    const frame = Buffer.concat([Buffer.alloc(4), input]);
    frame.writeUInt32BE(input.length);
    for (const read of [readAgentMessage, readServerMessage])
      readsWell(read({ data: frame, isBinary: true }));
  },
});

export const enrollTokenTarget = parserTarget({
  name: "enroll-token",
  format: "text",
  bytesMax: 64 * 1024,
  seeds: [null, "A".repeat(43)].map((spkiPin) =>
    encodeEnrollToken({
      origin: "https://nexus.example.org:8443",
      identityPin: `${"B".repeat(42)}A`,
      spkiPin: spkiPin === null ? null : `${"C".repeat(42)}A`,
      tokenId: "et_0123456789",
      seed: `${"D".repeat(42)}A`,
    }),
  ),
  feed(input) {
    try {
      const text = Buffer.from(input).toString();
      const parts = decodeEnrollToken(text);
      if (encodeEnrollToken(parts) !== text.trim())
        throw new BrokenPromise("a token was read that says something else when it is written");
    } catch (cause) {
      if (!(cause instanceof NexusError) || cause.code !== "token_malformed") throw cause;
    }
  },
});

function readsWell(read: ReadMessage<AgentMessage> | ReadMessage<ServerMessage>): void {
  if (!read.ok) {
    if (read.message === "" || read.message.length > 10_000)
      throw new BrokenPromise(`a refusal of ${read.message.length} characters`);
    return;
  }
  for (const frame of encodeMessage(read.message)) decodeFrame(frame);
}

function sameAgain(header: object, payload: Uint8Array): void {
  let frame: Uint8Array;
  try {
    frame = encodeFrame(header, payload);
  } catch (cause) {
    // Written without blanks it is never longer, but escapes may be: a lone surrogate takes six characters for three bytes.
    if (cause instanceof NexusError && cause.code === "too_large") return;
    // Nests that no message of ours has.
    if (cause instanceof RangeError) return;
    throw cause;
  }
  const again = decodeFrame(frame);
  if (JSON.stringify(again.header) !== JSON.stringify(header) || Buffer.compare(again.payload, payload) !== 0)
    throw new BrokenPromise("a frame says something else when it is sent again");
}
