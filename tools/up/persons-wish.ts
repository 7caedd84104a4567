/** npm passes Ctrl-C on to what got it from the terminal already: signals this close together are one wish. */
const SAME_WISH_MS = 1_500;

/** The first signal asks for an orderly stop; a later one for an end at once, and what we started ends when we do. */
export function personsWish(endAtOnce: () => void): AbortSignal {
  const wish = new AbortController();
  let askedAtMs = 0;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      if (wish.signal.aborted && performance.now() - askedAtMs > SAME_WISH_MS) endAtOnce();
      if (wish.signal.aborted) return;
      askedAtMs = performance.now();
      wish.abort();
    });
  }
  return wish.signal;
}
