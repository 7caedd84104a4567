/** One thing that `nexus doctor` looked at. */
export type Finding = {
  where: "here" | "server" | "fleet";
  what: string;
  /** `warn`: it works, but look at it. `fail`: something does not work. */
  state: "ok" | "warn" | "fail";
  /** What is so, and what that means. */
  message: string;
  /** What to do; null when nothing is. */
  next: string | null;
};

type Place = Pick<Finding, "where" | "what">;

export const fine = (place: Place, message: string): Finding => ({
  ...place,
  state: "ok",
  message,
  next: null,
});
export const doubtful = (place: Place, message: string, next: string): Finding => ({
  ...place,
  ...{ state: "warn", message, next },
});
export const broken = (place: Place, message: string, next: string): Finding => ({
  ...place,
  ...{ state: "fail", message, next },
});
