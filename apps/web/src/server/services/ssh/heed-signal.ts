/** Waits for work that hears no signal, and for no longer than the signal allows; the work itself goes on. */
export async function heedSignal<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const leave = () => reject(signal.reason);
  signal.addEventListener("abort", leave, { once: true });
  if (signal.aborted) leave();
  try {
    return await Promise.race([promise, work]);
  } finally {
    signal.removeEventListener("abort", leave);
  }
}
