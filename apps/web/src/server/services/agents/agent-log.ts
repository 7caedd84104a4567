/**
 * Log bytes of attempts on their way into the store, and the end of it: an attempt is closed, and its node told to forget
 * it, when it has ended and every byte it reported is durable here.
 *
 * Owns: which attempts found no room. Invariants: bytes are written only at the store's present size; what does not fit
 * there is answered with that size and a rewind; while the disk is full nothing is answered, so the node keeps its bytes,
 * and is asked again from time to time. It refuses attempts of other nodes by not answering.
 */
import { NexusError } from "@nexus/shared/errors";
import type { AgentMessage, MessageOf, ServerMessage } from "@nexus/shared/protocol/messages";
import { closeAttempts } from "../../db/queries/close-attempts.ts";
import { findAttempts } from "../../db/queries/find-attempts.ts";
import { createBatcher } from "../batcher.ts";
import type { NodeSession } from "../ports.ts";
import type { LiveAttempt } from "../scheduling/live-jobs.ts";
import type { World } from "../scheduling/world.ts";
import type { ServiceContext } from "../service-context.ts";
import type { WriteLane } from "../write-lane.ts";

export type AgentLog = {
  append(
    node: NodeSession,
    message: MessageOf<AgentMessage, "log">,
    bytes: Uint8Array,
  ): Promise<ServerMessage[]>;
  /** Whether all of it is stored; makes it durable if so. */
  isWhole(attempt: string, logBytes: number): Promise<boolean>;
  /** Closes ended attempts whose log is whole. @returns those that the node may forget. */
  close(attempts: LiveAttempt[]): Promise<string[]>;
  stop(): void;
};

const NOTICE_CODE = "log_store_full";

export function createAgentLog(ctx: ServiceContext, world: World, lane: WriteLane): AgentLog {
  const { logs, events, hub } = ctx;
  const stalled = new Map<string, { targetId: number }>();
  let retry: NodeJS.Timeout | null = null;
  const closer = createBatcher<LiveAttempt, null>(async (attempts) => {
    await lane.run(async () => {
      const rows = attempts.map((attempt) => attempt.rowId);
      await closeAttempts(ctx.sql, rows, ctx.clock.nowMs());
      for (const { id } of attempts) {
        const attempt = world.live.attempts.get(id);
        if (attempt) world.live.closeAttempt(attempt);
      }
    });
    // Whichever came last, the exit or the last byte: who follows the log hears that it is whole.
    for (const attempt of attempts) tell(attempt, attempt.ended?.logBytes ?? 0, true);
    return attempts.map(() => null);
  });

  const agentLog: AgentLog = {
    async append(node, message, bytes) {
      const { attempt: id, offset } = message;
      const attempt = world.live.attempts.get(id);
      if (!attempt) return await answerUnknown(node, id);
      if (attempt.targetId !== node.targetId || attempt.fence !== message.fence || stalled.has(id)) return [];
      let size: number;
      try {
        size = await logs.size(id);
        if (offset !== size) return [{ type: "log_ack", attempt: id, logBytes: size, rewind: true }];
        size = await logs.append(id, offset, bytes);
      } catch (error) {
        stallIfFull(id, error);
        return [];
      }
      clearNotice(attempt.targetId);
      const answers: ServerMessage[] = [{ type: "log_ack", attempt: id, logBytes: size, rewind: false }];
      const forget = attempt.ended ? await agentLog.close([attempt]) : [];
      if (forget.length > 0) answers.push({ type: "forget", attempts: forget });
      else tell(attempt, size, false);
      return answers;
    },
    async isWhole(attempt, logBytes) {
      if (logBytes === 0) return true;
      if ((await logs.size(attempt)) < logBytes) return false;
      try {
        await logs.sync(attempt);
      } catch (error) {
        stallIfFull(attempt, error);
        return false;
      }
      // What could not be made durable was given up: the log may be shorter now.
      return (await logs.size(attempt)) >= logBytes;
    },
    async close(attempts) {
      const whole: LiveAttempt[] = [];
      for (const attempt of attempts) {
        if (attempt.ended && (await agentLog.isWhole(attempt.id, attempt.ended.logBytes)))
          whole.push(attempt);
      }
      await Promise.all(whole.map((attempt) => closer.add(attempt)));
      return whole.map((attempt) => attempt.id);
    },
    stop() {
      if (retry) clearTimeout(retry);
    },
  };
  return agentLog;

  /** Closed before, perhaps by the process before us: the node may let go. Never ours: no answer, it is not ours to end. */
  async function answerUnknown(node: NodeSession, id: string): Promise<ServerMessage[]> {
    const [found] = await findAttempts(ctx.sql, [id]);
    const isOver = found?.isEnded === true && found.targetId === node.targetId;
    return isOver ? [{ type: "forget", attempts: [id] }] : [];
  }

  function tell(attempt: LiveAttempt, logBytes: number, ended: boolean): void {
    events.emit("log", { teamId: attempt.teamId, job: attempt.job, attempt: attempt.id, logBytes, ended });
  }

  function stallIfFull(id: string, error: unknown): void {
    if (!(error instanceof NexusError) || error.code !== "disk_full") throw error;
    const attempt = world.live.attempts.get(id);
    if (!attempt) return;
    stalled.set(id, { targetId: attempt.targetId });
    const target = world.fleet.get(attempt.targetId);
    if (target) {
      const message = `Logs of its jobs cannot be stored. ${error.message} The node keeps them and sends them later.`;
      target.notice = { level: "error", code: NOTICE_CODE, message, atMs: ctx.clock.nowMs() };
      events.emit("target", { teamId: attempt.teamId, target: target.row.publicId, removed: false });
    }
    ctx.log("error", "a log was not stored", { attempt: id, error: error.message });
    retry ??= setTimeout(askAgain, ctx.timing.logRetryMs).unref();
  }

  /** A frame found room again. */
  function clearNotice(targetId: number): void {
    const target = world.fleet.get(targetId);
    if (target?.notice?.code !== NOTICE_CODE) return;
    target.notice = null;
    events.emit("target", { teamId: target.row.teamId, target: target.row.publicId, removed: false });
  }

  function askAgain(): void {
    retry = null;
    const again = [...stalled];
    stalled.clear();
    for (const [attempt, { targetId }] of again) {
      logs.size(attempt).then(
        (logBytes) => hub.send(targetId, { type: "log_ack", attempt, logBytes, rewind: true }),
        (error: unknown) => ctx.log("error", "a log's size is not known", { attempt, error: String(error) }),
      );
    }
  }
}
