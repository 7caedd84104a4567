/**
 * Tells a copied disk from the node itself. On every connect the server offers a generation that it never offered before; the node
 * writes it down and confirms it. The old one counts only until then, because a node may die between hearing and writing. Only the
 * newest offer can be confirmed, so of two copies at most one can go on: what the other was offered before is left behind.
 */
export type Generations = {
  /** What the node confirmed last. */
  confirmed: number;
  /** What was offered last; equal to `confirmed` when nothing is open. */
  offered: number;
};

export type GenerationVerdict =
  | {
      kind: "accept";
      next: Generations /** The node knows more than we: our database was restored. */;
      ahead: boolean;
    }
  | { kind: "clone" };

/** @param said what the node wrote down last, as it tells in `hello`. */
export function judgeGeneration(known: Generations, said: number): GenerationVerdict {
  if (said < known.confirmed) return { kind: "clone" };
  return {
    kind: "accept",
    next: { confirmed: said, offered: Math.max(said, known.offered) + 1 },
    ahead: said > Math.max(known.confirmed, known.offered),
  };
}
