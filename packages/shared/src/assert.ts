/** Our own bugs. A failed assertion ends the request or the tick, loudly; it is never a user's mistake. */
export function assert(claim: unknown, message: string): asserts claim {
  if (!claim) throw new AssertionError(message);
}

export class AssertionError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "AssertionError";
  }
}
