import { EventEmitter, once } from "node:events";
import type { ServerMessage } from "@nexus/shared/protocol/messages";
import type { AgentPort, NodeSession } from "../../services/ports.ts";

export type Recorded = {
  [K in keyof AgentPort]: { call: K; node: NodeSession; args: unknown[] };
}[keyof AgentPort];

export type RecordingPort = AgentPort & {
  readonly records: Recorded[];
  readonly logs: Map<string, Buffer>;
  /** Waits for the first record, past or coming, that fits. */
  seen<K extends keyof AgentPort>(call: K, fits?: (record: Recorded) => boolean): Promise<Recorded>;
  /** What happens before a call is answered: tests delay or break it here. */
  before: (call: keyof AgentPort, node: NodeSession) => Promise<void>;
  onInventory: (parts: Parameters<AgentPort["inventory"]>[1]) => ServerMessage[];
  onExited: (message: Parameters<AgentPort["exited"]>[1]) => ServerMessage[];
};

/** An AgentPort that writes down what it is told, and keeps logs in memory by the rule of offsets. */
export function createRecordingPort(): RecordingPort {
  const events = new EventEmitter();
  events.setMaxListeners(0);
  const records: Recorded[] = [];
  const logs = new Map<string, Buffer>();

  async function record(call: keyof AgentPort, node: NodeSession, ...args: unknown[]): Promise<void> {
    await port.before(call, node);
    const entry = { call, node, args } as Recorded;
    records.push(entry);
    events.emit("record", entry);
  }

  const port: RecordingPort = {
    records,
    logs,
    before: async () => undefined,
    onInventory: () => [],
    onExited: () => [],
    async seen(call, fits = () => true) {
      for (;;) {
        const found = records.find((entry) => entry.call === call && fits(entry));
        if (found !== undefined) return found;
        await once(events, "record");
      }
    },
    connected: (node) => record("connected", node),
    async inventory(node, parts) {
      await record("inventory", node, parts);
      return port.onInventory(parts);
    },
    facts: (node, message) => record("facts", node, message),
    started: (node, message) => record("started", node, message),
    async exited(node, message) {
      await record("exited", node, message);
      return port.onExited(message);
    },
    async log(node, message, bytes) {
      await port.before("log", node);
      const held = logs.get(message.attempt) ?? Buffer.alloc(0);
      const fits = message.offset === held.length;
      if (fits) logs.set(message.attempt, Buffer.concat([held, bytes]));
      const entry = { call: "log", node, args: [message, bytes.length] } as Recorded;
      records.push(entry);
      events.emit("record", entry);
      const logBytes = logs.get(message.attempt)?.length ?? 0;
      return [{ type: "log_ack", attempt: message.attempt, logBytes, rewind: !fits }];
    },
    telemetry: (node, message) => void record("telemetry", node, message),
    notice: (node, message) => void record("notice", node, message),
    logGap: (node, message) => record("logGap", node, message),
    faults: (node, message) => void record("faults", node, message),
    disconnected: (node, why) => record("disconnected", node, why),
  };
  return port;
}
