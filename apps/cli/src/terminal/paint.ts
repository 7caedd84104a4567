import { styleText } from "node:util";

export type Ink = "bold" | "dim" | "red" | "green" | "yellow" | "blue" | "cyan" | "magenta";
export type Paint = (ink: Ink, text: string) => string;

export type PaintSettings = {
  isTty: boolean;
  env: Readonly<Record<string, string | undefined>>;
};

/** Colour on a terminal, unless NO_COLOR is set or the terminal is dumb; FORCE_COLOR asks for it in a pipe too. */
export function createPaint({ isTty, env }: PaintSettings): Paint {
  const isWanted = env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== "" && env.FORCE_COLOR !== "0";
  const isRefused = env.NO_COLOR !== undefined && env.NO_COLOR !== "";
  const isColoured = !isRefused && (isWanted || (isTty && env.TERM !== "dumb"));
  return isColoured
    ? (ink, text) => (text === "" ? "" : styleText(ink, text, { validateStream: false }))
    : (_ink, text) => text;
}
