/** The six status hues of tokens.css, as the class names that Tailwind must find written out. */
export const HUES = ["idle", "wait", "active", "good", "bad", "odd"] as const;
export type Hue = (typeof HUES)[number];

export const HUE_TEXT: Record<Hue, string> = {
  idle: "text-idle",
  wait: "text-wait",
  active: "text-active",
  good: "text-good",
  bad: "text-bad",
  odd: "text-odd",
};

export const HUE_SOFT: Record<Hue, string> = {
  idle: "bg-idle-soft",
  wait: "bg-wait-soft",
  active: "bg-active-soft",
  good: "bg-good-soft",
  bad: "bg-bad-soft",
  odd: "bg-odd-soft",
};

export const HUE_FILL: Record<Hue, string> = {
  idle: "bg-idle",
  wait: "bg-wait",
  active: "bg-active",
  good: "bg-good",
  bad: "bg-bad",
  odd: "bg-odd",
};
