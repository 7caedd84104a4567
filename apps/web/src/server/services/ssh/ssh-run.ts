/**
 * One piece of work on several machines, as people follow it: the machines, their states, and the transcript. Owns: all of that, in
 * memory only, for whoever watches; the machines and the database hold what was done. States of a machine: waiting → working ⇄ asking
 * → done | failed | cancelled. Invariants: lines count up without a gap; no line holds a secret of the run; at most `LINES_MAX` are
 * kept, the oldest go. It refuses an answer to a question that was not asked.
 */

import type { SshLine, SshRunHost, SshRun as SshRunView, SshStep } from "@nexus/shared/api/ssh";
import { NexusError } from "@nexus/shared/errors";
import type { HostKeyQuestion } from "@nexus/ssh/host-keys/host-key-verifier";
import { cleanText } from "../clean-text.ts";
import type { Principal } from "../ports.ts";

const LINES_MAX = 20_000;
const LINE_CHARS_MAX = 2_000;
/** Shorter ones would blank out half of every text. */
const SECRET_CHARS_MIN = 4;
const MASK = "•••";

export type SshRun = ReturnType<typeof createSshRun>;
export type Teller = (level: SshLine["level"], text: string) => void;

export type SshRunOptions = {
  id: string;
  act: SshRunView["act"];
  principal: Principal;
  addresses: readonly string[];
  secrets: readonly string[];
  startedAtMs: number;
  nowMs(): number;
};

export function createSshRun(options: SshRunOptions) {
  const { id, act, principal, nowMs } = options;
  const secrets = new Set<string>();
  const hosts = options.addresses.map(
    (address, index): SshRunHost => ({
      index,
      address,
      state: "waiting",
      step: null,
      question: null,
      target: null,
      message: null,
    }),
  );
  const stopping = new AbortController();
  const questions = new Map<number, { fingerprint: string; settle: (isAccepted: boolean) => void }>();
  const waiters = new Set<() => void>();
  let lines: SshLine[] = [];
  let seq = 0;
  let hasEnded = false;
  let endedAtMs: number | null = null;

  const hide = (secret: string) => {
    for (const part of [secret, ...secret.split(/\r?\n/)]) {
      if (part.trim().length >= SECRET_CHARS_MIN && !/^-----/.test(part)) secrets.add(part.trim());
    }
  };
  options.secrets.forEach(hide);

  function mask(text: string): string {
    let masked = text;
    for (const secret of secrets) masked = masked.replaceAll(secret, MASK);
    return masked;
  }

  function changed(): void {
    for (const waiter of [...waiters]) waiter();
  }

  function host(index: number): SshRunHost {
    const found = hosts[index];
    if (found === undefined) throw new NexusError("not_found", { detail: `${id} has no machine ${index}.` });
    return found;
  }

  return {
    id,
    act,
    principal,
    signal: stopping.signal,
    hasEnded: () => hasEnded,
    endedAtMs: () => endedAtMs,
    /** From now on no line shows it. */
    hide,

    /** Writes to the transcript, for one step of one machine. */
    teller(index: number, step: SshStep): Teller {
      return (level, text) => {
        for (const part of text.split(/\r?\n/)) {
          const shown = cleanText(mask(part)).slice(0, LINE_CHARS_MAX).trimEnd();
          if (shown === "" && text !== "") continue;
          seq += 1;
          lines.push({ seq, host: index, atMs: nowMs(), step, level, text: shown });
        }
        if (lines.length > LINES_MAX * 1.1) lines = lines.slice(-LINES_MAX);
        changed();
      };
    },
    set(index: number, change: Partial<Omit<SshRunHost, "index" | "address">>): void {
      Object.assign(host(index), change);
      if (typeof change.message === "string") host(index).message = mask(change.message);
      changed();
    },
    host: (index: number): Readonly<SshRunHost> => host(index),
    /** Waits for a person. False when the answer is no, or the run was cancelled. */
    async ask(index: number, question: HostKeyQuestion): Promise<boolean> {
      if (stopping.signal.aborted) return false;
      const { promise, resolve } = Promise.withResolvers<boolean>();
      questions.set(index, { fingerprint: question.fingerprint, settle: resolve });
      const giveUp = () => resolve(false);
      stopping.signal.addEventListener("abort", giveUp, { once: true });
      Object.assign(host(index), { state: "asking", question });
      changed();
      try {
        return await promise;
      } finally {
        stopping.signal.removeEventListener("abort", giveUp);
        questions.delete(index);
        Object.assign(host(index), { state: "working", question: null });
        changed();
      }
    },
    answer(index: number, { fingerprint, accept }: { fingerprint: string; accept: boolean }): void {
      const question = questions.get(host(index).index);
      if (question?.fingerprint !== fingerprint) {
        throw new NexusError("conflict", {
          detail: `${host(index).address} asks about no such key (any more).`,
        });
      }
      question.settle(accept);
    },
    cancel(): void {
      stopping.abort(new NexusError("invalid_state", { detail: "It was cancelled." }));
    },
    end(): void {
      hasEnded = true;
      endedAtMs = nowMs();
      changed();
    },
    view(after: number): SshRunView {
      const from = lines.findIndex((line) => line.seq > after);
      return {
        id,
        act,
        ended: hasEnded,
        hosts: hosts.map((one) => ({ ...one })),
        lines: from < 0 ? [] : lines.slice(from),
        startedBy: principal.userName,
        startedAtMs: options.startedAtMs,
      };
    },
    /** Resolves at the next change, or when the time is over or the reader leaves. */
    async changes(waitMs: number, signal?: AbortSignal): Promise<void> {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, waitMs);
      waiters.add(resolve);
      signal?.addEventListener("abort", () => resolve(), { once: true });
      await promise;
      clearTimeout(timer);
      waiters.delete(resolve);
    },
  };
}
