import type { BenchContext, Shared } from "./bench-case.ts";

/** What is opened once and closed after the last case, latest first. */
export type Shares = { share: BenchContext["share"]; closeAll(): Promise<void> };

export function createShares(): Shares {
  const open = new Map<string, Promise<Shared<unknown>>>();
  return {
    async share<T>(name: string, opener: () => Promise<Shared<T>>): Promise<T> {
      const found = (open.get(name) as Promise<Shared<T>> | undefined) ?? opener();
      open.set(name, found);
      return (await found).value;
    },
    async closeAll() {
      for (const shared of [...open.values()].reverse()) {
        // What failed to open was reported by the case that opened it.
        const opened = await shared.catch(() => undefined);
        await opened?.close();
      }
      open.clear();
    },
  };
}
