/**
 * Log bytes of attempts on their way into the store, and the end of it: an attempt is closed, and its node told to forget
 * it, when it has ended and every byte it reported is durable here.
 *
 * Owns: which attempts the store did not take, and why. Invariants: bytes are written only at the store's present size; what
 * does not fit there is answered with that size and a rewind; while the store does not take a log (full disk, I/O error)
 * nothing of it is answered, so the node keeps its bytes, and is asked again from time to time; other logs go on. It refuses
 * attempts of other nodes by not answering.
 */
import type { LogTrouble } from "@nexus/shared/api/schemas";
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

const NOTICE_CODES = ["log_store_full", "log_store_failing"];
/** Three tries at a log: an older word of trouble is of a node that is away, and says nothing of the store any more. */
const PROBLEM_FRESH_MS = 15_000;

export type AgentLog = {
  append(
    node: NodeSession,
    message: MessageOf<AgentMessage, "log">,
    bytes: Uint8Array,
  ): Promise<ServerMessage[]>;
  /** Bytes stored; 0 while the store cannot tell. */
  sizeOf(attempt: string): Promise<number>;
  /** Whether all of it is stored; makes it durable if so. A store that is far is not waited for: `close` does that. */
  isWhole(attempt: string, logBytes: number): Promise<boolean>;
  /** Closes ended attempts whose log is whole. @returns those that the node may forget now; it is told of others later. */
  close(attempts: LiveAttempt[]): Promise<string[]>;
  /** Why no more of a log is stored now. */
  troubleOf(attempt: string): LogTrouble | null;
  /** What is wrong with the store, as far as the logs of the last moments tell. */
  problem(): { code: string; message: string } | null;
  stop(): void;
};

type Trouble = LogTrouble & { attempt: LiveAttempt; atMs: number; why: string };

export function createAgentLog(ctx: ServiceContext, world: World, lane: WriteLane): AgentLog {
  const { logs, events, hub, clock } = ctx;
  /** Nothing of these is taken until the node was asked again. */
  const stalled = new Set<string>();
  /** Until something of them was stored. */
  const troubles = new Map<string, Trouble>();
  /** Whose logs are on their way into a store that is far. */
  const closing = new Set<string>();
  let retry: NodeJS.Timeout | null = null;
  let isStopped = false;
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
        // A log that cannot be looked at may still begin.
        size = await logs.size(id).catch((error: unknown) => (offset === 0 ? 0 : Promise.reject(error)));
        if (offset !== size) return [{ type: "log_ack", attempt: id, logBytes: size, rewind: true }];
        size = await logs.append(id, offset, bytes);
      } catch (error) {
        stall(id, error);
        return [];
      }
      clear(id);
      const answers: ServerMessage[] = [{ type: "log_ack", attempt: id, logBytes: size, rewind: false }];
      const forget = attempt.ended ? await agentLog.close([attempt]) : [];
      if (forget.length > 0) answers.push({ type: "forget", attempts: forget });
      else tell(attempt, size, false);
      return answers;
    },
    async sizeOf(attempt) {
      try {
        return await logs.size(attempt);
      } catch (error) {
        stall(attempt, error);
        return 0;
      }
    },
    async isWhole(attempt, logBytes) {
      if (logBytes === 0) return true;
      return logs.isFar ? false : await makeWhole(attempt, logBytes);
    },
    async close(attempts) {
      if (logs.isFar) {
        for (const attempt of attempts) void closeFar(attempt);
        return [];
      }
      const whole = await Promise.all(
        attempts.map(async (attempt) =>
          attempt.ended && (await makeWhole(attempt.id, attempt.ended.logBytes)) ? attempt : [],
        ),
      ).then((found) => found.flat());
      await Promise.all(whole.map((attempt) => closer.add(attempt)));
      return whole.map((attempt) => attempt.id);
    },
    troubleOf(attempt) {
      const trouble = troubles.get(attempt);
      return trouble ? { code: trouble.code, message: trouble.message, offset: null } : null;
    },
    problem() {
      const sinceMs = clock.nowMs() - PROBLEM_FRESH_MS;
      const latest = [...troubles.values()].findLast(({ atMs }) => atMs >= sinceMs);
      if (!latest) return null;
      const count = troubles.size;
      const message = `The control plane cannot store the logs of ${count} job${count === 1 ? "" : "s"} now, their nodes keep them: ${latest.why}`;
      return { code: `log_${latest.code}`, message };
    },
    stop() {
      isStopped = true;
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

  async function makeWhole(attempt: string, logBytes: number): Promise<boolean> {
    if (logBytes === 0) return true;
    try {
      if ((await logs.size(attempt)) < logBytes) return false;
      await logs.sync(attempt);
      // What could not be made durable was given up: the log may be shorter now.
      const isWhole = (await logs.size(attempt)) >= logBytes;
      if (isWhole) clear(attempt);
      return isWhole;
    } catch (error) {
      stall(attempt, error);
      return false;
    }
  }

  /** Beside everything else; the node hears of it when it is done. */
  async function closeFar(attempt: LiveAttempt): Promise<void> {
    const { id, targetId, ended } = attempt;
    if (ended === null || stalled.has(id)) return;
    if ((await agentLog.sizeOf(id)) < ended.logBytes || closing.has(id)) return;
    closing.add(id);
    try {
      if (!(await makeWhole(id, ended.logBytes))) return;
      await closer.add(attempt);
      hub.send(targetId, { type: "forget", attempts: [id] });
    } catch (error) {
      ctx.log("error", "an attempt was not closed", { attempt: id, error: String(error) });
      askLater(id);
    } finally {
      closing.delete(id);
    }
  }

  function askLater(id: string): void {
    if (isStopped) return;
    stalled.add(id);
    retry ??= setTimeout(askAgain, ctx.timing.logRetryMs).unref();
  }

  /** This log waits; the node's other logs, and its session, go on. */
  function stall(id: string, error: unknown): void {
    ctx.log("error", "a log was not stored", { attempt: id, error: String(error) });
    const attempt = world.live.attempts.get(id);
    if (!attempt) return;
    const isFull = error instanceof NexusError && error.code === "disk_full";
    const why = error instanceof Error ? error.message : String(error);
    const trouble: Trouble = {
      code: isFull ? "store_full" : "store_failing",
      message: `the control plane cannot store more of this log now, its node keeps the rest and sends it later: ${why.replace(/\.$/, "")}`,
      offset: null,
      attempt,
      atMs: clock.nowMs(),
      why,
    };
    const before = troubles.get(id);
    askLater(id);
    troubles.delete(id);
    troubles.set(id, trouble);
    if (before?.message === trouble.message) return;
    const target = world.fleet.get(attempt.targetId);
    if (target) {
      const message = `Logs of its jobs cannot be stored. ${why} The node keeps them and sends them later.`;
      target.notice = { level: "error", code: `log_${trouble.code}`, message, atMs: trouble.atMs };
    }
    tellTrouble(attempt);
  }

  /** Something of it was stored, or it is gone. */
  function clear(id: string): void {
    const trouble = troubles.get(id);
    if (!trouble) return;
    troubles.delete(id);
    const { targetId } = trouble.attempt;
    const target = world.fleet.get(targetId);
    const isLast = ![...troubles.values()].some(({ attempt }) => attempt.targetId === targetId);
    if (isLast && target?.notice && NOTICE_CODES.includes(target.notice.code)) target.notice = null;
    tellTrouble(trouble.attempt);
  }

  function tellTrouble({ job, teamId, targetId }: LiveAttempt): void {
    const target = world.fleet.get(targetId);
    if (target) events.emit("target", { teamId, target: target.row.publicId, removed: false });
    events.emit("job", { teamId, jobs: [job] });
  }

  function askAgain(): void {
    retry = null;
    const again = [...stalled];
    stalled.clear();
    for (const id of [...troubles.keys()]) if (!world.live.attempts.has(id)) clear(id);
    for (const id of again) {
      const attempt = world.live.attempts.get(id);
      if (attempt === undefined) continue;
      const { targetId } = attempt;
      // All of it may be here already, and only the store was away.
      if (logs.isFar) void closeFar(attempt);
      logs.size(id).then(
        (logBytes) =>
          hub.send(targetId, { type: "log_ack", attempt: id, logBytes, rewind: true, again: true }),
        (error: unknown) => stall(id, error),
      );
    }
  }
}
