/**
 * How many may be at something at once. Owns: the counts, in all and of each person. Invariants: neither count passes its
 * limit; a place is given back once, however often its `leave` is called. It refuses who comes too many, with when to ask again;
 * one person cannot take the places of all.
 */
import { NexusError } from "@nexus/shared/errors";

export type Places = {
  /** @returns gives the place back. */
  enter(person: string): () => void;
};

export type PlacesOptions = {
  /** In the plural, for the sentence of a refusal. */
  what: string;
  totalMax: number;
  personMax: number;
  retryAfterMs: number;
};

export function createPlaces({ what, totalMax, personMax, retryAfterMs }: PlacesOptions): Places {
  const taken = new Map<string, number>();
  let total = 0;
  return {
    enter(person) {
      const own = taken.get(person) ?? 0;
      if (total >= totalMax) {
        const detail = `${totalMax} ${what} are open at once already, which is all this control plane takes. Ask again.`;
        throw new NexusError("unavailable", { detail, retryAfterMs });
      }
      if (own >= personMax) {
        const detail = `You have ${own} ${what} open at once, which is the most one person may have. Ask again when some have ended.`;
        throw new NexusError("rate_limited", { detail, retryAfterMs });
      }
      taken.set(person, own + 1);
      total += 1;
      let isTaken = true;
      return () => {
        if (!isTaken) return;
        isTaken = false;
        total -= 1;
        const left = (taken.get(person) ?? 1) - 1;
        if (left > 0) taken.set(person, left);
        else taken.delete(person);
      };
    },
  };
}
