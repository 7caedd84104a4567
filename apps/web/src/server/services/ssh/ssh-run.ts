/**
 * One piece of work on several machines, as people follow it: the machines, their states, and the transcript. Owns: all of that, in
 * memory only, for whoever watches; the machines and the database hold what was done. States of a machine: waiting → working ⇄ asking
 * → done | failed | cancelled; the last three are final. Invariants: lines count up without a gap; no line holds a secret of the run;
 * at most `LINES_MAX` are kept, the oldest go; the secrets are forgotten when it ends. It refuses an answer to a question that was not
 * asked, or that waited for longer than `ANSWER_MS`.
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
/** A person may have to walk to the machine. */
const ANSWER_MS = 30 * 60_000;
/** Changes that come together are told together. */
const GATHER_MS = 100;
const MASK = "•••";

export type SshRun = ReturnType<typeof createSshRun>;
export type Teller = (level: SshLine["level"], text: string) => void;

/** Who confirmed a key; null when nobody did. */
export type Confirmed = Principal | null;

export type SshRunOptions = {
  id: string;
  act: SshRunView["act"];
  principal: Principal;
  addresses: readonly string[];
  secrets: readonly string[];
  startedAtMs: number;
  nowMs(): number;
};

export function createSshRun({
  id,
  act,
  principal,
  addresses,
  secrets: given,
  startedAtMs,
  nowMs,
}: SshRunOptions) {
  /** The longest first: a short one may be part of it. */
  let secrets: string[] = [];
  const hosts = addresses.map(
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
  const questions = new Map<number, { fingerprint: string; settle: (by: Confirmed) => void }>();
  /** At which change each machine was changed last. */
  const changedAt = hosts.map(() => 0);
  let changes = 0;
  const waiters = new Set<() => void>();
  let lines: SshLine[] = [];
  let seq = 0;
  let hasEnded = false;
  let endedAtMs: number | null = null;

  const hide = (secret: string) => {
    for (const part of [secret, ...secret.split(/\r?\n/)]) {
      const text = part.trim();
      if (text.length >= SECRET_CHARS_MIN && !/^-----/.test(part) && !secrets.includes(text))
        secrets.push(text);
    }
    secrets.sort((one, other) => other.length - one.length);
  };
  given.forEach(hide);

  function mask(text: string): string {
    let masked = text;
    for (const secret of secrets) masked = masked.replaceAll(secret, MASK);
    return masked;
  }

  function changed(index?: number): void {
    changes += 1;
    if (index !== undefined) changedAt[index] = changes;
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
        // What comes after the end would no longer be masked.
        if (hasEnded) return;
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
      changed(index);
    },
    host: (index: number): Readonly<SshRunHost> => host(index),
    /** Waits for a person. Null when the answer is no, or does not come in time, or the run was cancelled. */
    async ask(index: number, question: HostKeyQuestion): Promise<Confirmed> {
      if (stopping.signal.aborted) return null;
      const { promise, resolve } = Promise.withResolvers<Confirmed>();
      questions.set(index, { fingerprint: question.fingerprint, settle: resolve });
      const giveUp = () => resolve(null);
      const timer = setTimeout(giveUp, ANSWER_MS);
      timer.unref();
      stopping.signal.addEventListener("abort", giveUp, { once: true });
      Object.assign(host(index), { state: "asking", question });
      changed(index);
      try {
        return await promise;
      } finally {
        stopping.signal.removeEventListener("abort", giveUp);
        clearTimeout(timer);
        questions.delete(index);
        const isAsking = host(index).state === "asking";
        Object.assign(host(index), { question: null, ...(isAsking ? { state: "working" } : {}) });
        changed(index);
      }
    },
    answer(
      index: number,
      { fingerprint, accept }: { fingerprint: string; accept: boolean },
      by: Principal,
    ): void {
      const question = questions.get(host(index).index);
      if (question?.fingerprint !== fingerprint) {
        throw new NexusError("conflict", {
          detail: `${host(index).address} asks about no such key (any more).`,
        });
      }
      question.settle(accept ? by : null);
    },
    cancel(why = "It was cancelled."): void {
      stopping.abort(new NexusError("invalid_state", { detail: why }));
    },
    end(): void {
      hasEnded = true;
      endedAtMs = nowMs();
      secrets = [];
      changed();
    },
    /** How often something changed: for `view`, to leave out machines that did not change since. */
    changes: () => changes,
    view(after: number, changedSince = -1): SshRunView {
      const from = lines.findIndex((line) => line.seq > after);
      return {
        id,
        act,
        ended: hasEnded,
        hosts: hosts.filter((_, index) => (changedAt[index] ?? 0) > changedSince).map((one) => ({ ...one })),
        lines: from < 0 ? [] : lines.slice(from),
        startedBy: principal.userName,
        startedAtMs,
      };
    },
    /** Resolves soon after a change that `seen` lacks, or when the time is over or the reader leaves. */
    async changed(seen: number, waitMs: number, signal?: AbortSignal): Promise<void> {
      const { promise, resolve } = Promise.withResolvers<void>();
      let timer = setTimeout(resolve, waitMs);
      const onChange = () => {
        waiters.delete(onChange);
        clearTimeout(timer);
        timer = setTimeout(resolve, hasEnded ? 0 : Math.min(GATHER_MS, waitMs));
      };
      const leave = () => resolve();
      waiters.add(onChange);
      signal?.addEventListener("abort", leave, { once: true });
      if (signal?.aborted) resolve();
      else if (changes > seen) onChange();
      await promise;
      clearTimeout(timer);
      waiters.delete(onChange);
      signal?.removeEventListener("abort", leave);
    },
  };
}
