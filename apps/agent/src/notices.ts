import { TEXT_CHARS_MAX } from "@nexus/shared/protocol/limits";
import type { AgentMessage, MessageOf } from "@nexus/shared/protocol/messages";

export type Notice = MessageOf<AgentMessage, "notice">;

/** Of each kind of trouble the latest, until it was told: a node that is alone with a full disk says so when it is back. */
export type Notices = {
  add(level: Notice["level"], code: string, message: string): void;
  /** Sends what waits. */
  flush(): void;
};

/** @param send answers false when it could not be sent now. */
export function createNotices(send: (notice: Notice) => boolean): Notices {
  const waiting = new Map<string, Notice>();

  function flush(): void {
    for (const [code, notice] of waiting) {
      if (!send(notice)) return;
      waiting.delete(code);
    }
  }

  return {
    add(level, code, message) {
      waiting.set(code, { type: "notice", level, code, message: message.slice(0, TEXT_CHARS_MAX) });
      flush();
    },
    flush,
  };
}
