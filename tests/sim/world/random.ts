/** Numbers that look random and follow from a seed alone (splitmix32). */
export type Random = {
  /** In 0..1, 1 excluded. */
  next(): number;
  /** A whole number in from..to, both included. */
  int(from: number, to: number): number;
  chance(probability: number): boolean;
  pick<T>(items: readonly T[]): T;
  /** Mostly short, sometimes long: how delays of networks and disks are. */
  delayMs(typicalMs: number): number;
  bytes(count: number): Uint8Array;
};

export function createRandom(seed: number): Random {
  let state = (seed ^ 0x9e3779b9) | 0;
  const next = () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = state ^ (state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    mixed ^= mixed >>> 15;
    return (mixed >>> 0) / 2 ** 32;
  };
  const random: Random = {
    next,
    int: (from, to) => from + Math.floor(next() * (to - from + 1)),
    chance: (probability) => next() < probability,
    pick(items) {
      const item = items[Math.floor(next() * items.length)];
      if (items.length === 0) throw new RangeError("nothing to pick from");
      return item as (typeof items)[number];
    },
    delayMs(typicalMs) {
      const draw = next();
      if (draw < 0.9) return typicalMs * (0.2 + draw);
      return typicalMs * (draw < 0.99 ? 5 : 40) * next();
    },
    bytes(count) {
      const bytes = new Uint8Array(count);
      for (let at = 0; at < count; at++) bytes[at] = Math.floor(next() * 256);
      return bytes;
    },
  };
  return random;
}
