import { SshError } from "./ssh-error.ts";

/**
 * The time that one attempt to connect may take, over all its stages, and the one place where it is cut: by its end or
 * by the caller's signal. The clock stands still while a person is asked something.
 */
export type ConnectBudget = {
  /** Aborted with an `SshError` when the time is over, or when the caller gave up. */
  readonly signal: AbortSignal;
  /** What is being waited for, for the message. */
  enter(stage: string): void;
  pauseWhile<T>(asking: () => Promise<T>): Promise<T>;
  /** Stops the clock for good. */
  end(): void;
};

export function startBudget(totalMs: number, outer?: AbortSignal): ConnectBudget {
  const controller = new AbortController();
  let stage = "starting";
  let leftMs = totalMs;
  let startedAtMs = performance.now();
  let timer: NodeJS.Timeout | undefined;
  let pauses = 0;

  const expire = () =>
    controller.abort(
      new SshError("timed_out", `Nothing came of it within ${totalMs / 1000} s while ${stage}`),
    );
  const giveUp = () => controller.abort(new SshError("cancelled", "The connection was no longer wanted."));
  const run = () => {
    startedAtMs = performance.now();
    timer = setTimeout(expire, Math.max(0, leftMs));
  };
  const stop = () => {
    clearTimeout(timer);
    leftMs -= performance.now() - startedAtMs;
  };

  run();
  if (outer?.aborted) giveUp();
  else outer?.addEventListener("abort", giveUp, { once: true });
  return {
    signal: controller.signal,
    enter(next) {
      stage = next;
    },
    async pauseWhile(asking) {
      pauses += 1;
      if (pauses === 1) stop();
      try {
        return await asking();
      } finally {
        pauses -= 1;
        if (pauses === 0 && !controller.signal.aborted) run();
      }
    },
    end() {
      pauses += 1;
      clearTimeout(timer);
      outer?.removeEventListener("abort", giveUp);
    },
  };
}
