/** Answers of one turn of the event loop, made into as few frames as they need. Pure. */
import { BATCH_ITEMS_MAX } from "@nexus/shared/protocol/limits";
import type { ServerMessage } from "@nexus/shared/protocol/messages";

/**
 * Of several acks for one attempt the last says it all, also when it follows a rewind: it was given for a frame that fitted.
 * Neighbouring `forget`s become one. All else keeps its order.
 */
export function mergeAnswers(messages: readonly ServerMessage[]): ServerMessage[] {
  const lastAck = new Map<string, ServerMessage>();
  for (const message of messages) if (message.type === "log_ack") lastAck.set(message.attempt, message);
  const merged: ServerMessage[] = [];
  for (const message of messages) {
    if (message.type === "log_ack" && lastAck.get(message.attempt) !== message) continue;
    const before = merged.at(-1);
    if (
      message.type === "forget" &&
      before?.type === "forget" &&
      before.attempts.length + message.attempts.length <= BATCH_ITEMS_MAX
    ) {
      merged[merged.length - 1] = { type: "forget", attempts: [...before.attempts, ...message.attempts] };
    } else {
      merged.push(message);
    }
  }
  return merged;
}
