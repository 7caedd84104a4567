import { NexusError } from "../errors.ts";
import { FRAME_BYTES_MAX, HEADER_BYTES_MAX } from "./limits.ts";

/** A binary WebSocket message: u32 big-endian header length, JSON header in UTF-8, raw payload. */
export type Frame = { header: unknown; payload: Uint8Array };

const EMPTY = new Uint8Array(0);
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** @returns one WebSocket message. @throws NexusError `too_large` when it would exceed the limits of the wire. */
export function encodeFrame(header: object, payload: Uint8Array = EMPTY): Uint8Array<ArrayBuffer> {
  const headerBytes = encoder.encode(JSON.stringify(header));
  const total = 4 + headerBytes.length + payload.length;
  if (headerBytes.length > HEADER_BYTES_MAX || total > FRAME_BYTES_MAX) {
    throw new NexusError("too_large", { detail: `A frame of ${total} bytes exceeds ${FRAME_BYTES_MAX}.` });
  }
  const frame = new Uint8Array(total);
  new DataView(frame.buffer).setUint32(0, headerBytes.length);
  frame.set(headerBytes, 4);
  frame.set(payload, 4 + headerBytes.length);
  return frame;
}

/** @returns the parsed header and a view (not a copy) of the payload. @throws NexusError `protocol_error`. */
export function decodeFrame(message: Uint8Array): Frame {
  if (message.length < 4) refuse(`a frame of ${message.length} bytes has no header length`);
  const headerLength = new DataView(message.buffer, message.byteOffset, 4).getUint32(0);
  if (headerLength > HEADER_BYTES_MAX)
    refuse(`a header of ${headerLength} bytes exceeds ${HEADER_BYTES_MAX}`);
  if (4 + headerLength > message.length)
    refuse(`a header of ${headerLength} bytes in a frame of ${message.length}`);
  let header: unknown;
  try {
    header = JSON.parse(decoder.decode(message.subarray(4, 4 + headerLength)));
  } catch (cause) {
    throw new NexusError("protocol_error", { detail: "The frame's header is not JSON in UTF-8.", cause });
  }
  return { header, payload: message.subarray(4 + headerLength) };
}

function refuse(what: string): never {
  throw new NexusError("protocol_error", { detail: `Bad frame: ${what}.` });
}
