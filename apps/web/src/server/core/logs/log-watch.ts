import { createKeyWatch, type KeyWatch } from "../key-watch.ts";

export type LogEvents = {
  on(type: "log", listener: (event: { attempt: string }) => void): () => void;
};

/** Of attempts whose logs grow or end. */
export function createLogWatch(events: LogEvents): KeyWatch {
  return createKeyWatch((wake) => events.on("log", ({ attempt }) => wake(attempt)));
}
