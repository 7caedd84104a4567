import { assert } from "../assert.ts";
import { NexusError } from "../errors.ts";
import { encodeFrame } from "./frame.ts";
import { BATCH_ITEMS_MAX } from "./limits.ts";
import type { AgentMessage, ServerMessage } from "./messages.ts";

type Message = AgentMessage | ServerMessage;

/**
 * One message as frames: batches are cut until each fits the wire's limits. Of a cut inventory only the last part is `last`.
 * @throws NexusError `too_large` when a single item does not fit.
 */
export function encodeMessage(message: Message): Uint8Array[] {
  const items = batchOf(message);
  if (items !== null && items.length > BATCH_ITEMS_MAX) return encodeHalves(message, items.length);
  try {
    return [encodeFrame(message)];
  } catch (error) {
    if (!(error instanceof NexusError) || items === null || items.length < 2) throw error;
    return encodeHalves(message, items.length);
  }
}

function encodeHalves(message: Message, count: number): Uint8Array[] {
  const middle = Math.ceil(count / 2);
  const first = slice(message, 0, middle);
  const second = slice(message, middle, count);
  return [...encodeMessage(first), ...encodeMessage(second)];
}

function batchOf(message: Message): unknown[] | null {
  if ("attempts" in message) return message.attempts;
  return message.type === "start" ? message.jobs : null;
}

function slice(message: Message, from: number, to: number): Message {
  const isTail = to === batchOf(message)?.length;
  switch (message.type) {
    case "start":
      return { ...message, jobs: message.jobs.slice(from, to) };
    case "inventory":
      return { ...message, attempts: message.attempts.slice(from, to), last: message.last && isTail };
    case "sync":
      return { ...message, attempts: message.attempts.slice(from, to) };
    case "forget":
      return { ...message, attempts: message.attempts.slice(from, to) };
    case "started":
      return { ...message, attempts: message.attempts.slice(from, to) };
    case "log_gap":
      return { ...message, attempts: message.attempts.slice(from, to) };
    case "exited":
      return { ...message, attempts: message.attempts.slice(from, to) };
    default:
      assert(false, `a ${message.type} message has no batch`);
  }
}
