import { NexusError } from "../errors.ts";
import { FRAME_BYTES_MAX, HEADER_BYTES_MAX } from "./limits.ts";

/** A binary WebSocket message: u32 big-endian header length, JSON header in UTF-8, raw payload. */
export type Frame = { header: unknown; payload: Uint8Array };

const EMPTY = new Uint8Array(0);
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** Bytes before a payload that hold the header of any message that carries one. */
export const FRAME_HEADROOM_BYTES = 1024;

/**
 * @param headroom How many bytes before the payload, in the memory that it is a view of, may be overwritten: with enough of them the
 * frame is made around the payload, without a copy.
 * @returns one WebSocket message. @throws NexusError `too_large` when it would exceed the limits of the wire.
 */
export function encodeFrame(header: object, payload: Uint8Array = EMPTY, headroom = 0): Uint8Array {
  const headerBytes = encoder.encode(JSON.stringify(header));
  const total = 4 + headerBytes.length + payload.length;
  if (headerBytes.length > HEADER_BYTES_MAX || total > FRAME_BYTES_MAX) {
    throw new NexusError("too_large", { detail: `A frame of ${total} bytes exceeds ${FRAME_BYTES_MAX}.` });
  }
  const before = 4 + headerBytes.length;
  const isInPlace = before <= headroom;
  const frame = isInPlace
    ? new Uint8Array(payload.buffer, payload.byteOffset - before, total)
    : new Uint8Array(total);
  new DataView(frame.buffer, frame.byteOffset).setUint32(0, headerBytes.length);
  frame.set(headerBytes, 4);
  if (!isInPlace) frame.set(payload, before);
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
