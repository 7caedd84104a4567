/** One source of data after the other gets its turn, so that a tunnel with much to send does not hold up the logs. */
export function takeTurns<T>(sources: (() => Promise<T | null> | T | null)[]): () => Promise<T | null> {
  let next = 0;
  return async () => {
    for (let tried = 0; tried < sources.length; tried += 1) {
      const data = await sources[next++ % sources.length]?.();
      if (data != null) return data;
    }
    return null;
  };
}
