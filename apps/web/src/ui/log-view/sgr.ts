/** Text styles of a terminal: the `ESC [ … m` part of ECMA-48, with 256 and 24-bit colours. Pure. */

/** -1 the default, 0..255 the palette, above that 24 bits of RGB under RGB_FLAG. */
export type TerminalColor = number;
const DEFAULT_COLOR = -1;
const RGB_FLAG = 0x1000000;

export type TextStyle = {
  readonly fg: TerminalColor;
  readonly bg: TerminalColor;
  readonly bold: boolean;
  readonly dim: boolean;
  readonly italic: boolean;
  readonly underline: boolean;
  readonly strike: boolean;
  readonly inverse: boolean;
};

export const PLAIN: TextStyle = {
  fg: DEFAULT_COLOR,
  bg: DEFAULT_COLOR,
  bold: false,
  dim: false,
  italic: false,
  underline: false,
  strike: false,
  inverse: false,
};

/** @param parameters what stands between `ESC [` and `m`. Unknown codes are skipped, as terminals do. */
export function applySgr(style: TextStyle, parameters: string): TextStyle {
  // `38:2::r:g:b` has an empty colour space; dropping it makes both spellings one.
  const codes = parameters.replaceAll("::", ":").split(/[;:]/).map(Number);
  let next = style;
  for (let at = 0; at < codes.length; at++) {
    const code = codes[at] ?? 0;
    if (code === 38 || code === 48) {
      const { color, used } = extendedColor(codes, at + 1);
      at += used;
      if (color !== null) next = code === 38 ? { ...next, fg: color } : { ...next, bg: color };
    } else next = applyCode(next, code);
  }
  return next;
}

function applyCode(style: TextStyle, code: number): TextStyle {
  if (code >= 30 && code <= 37) return { ...style, fg: code - 30 };
  if (code >= 40 && code <= 47) return { ...style, bg: code - 40 };
  if (code >= 90 && code <= 97) return { ...style, fg: code - 82 };
  if (code >= 100 && code <= 107) return { ...style, bg: code - 92 };
  switch (code) {
    case 0:
      return PLAIN;
    case 1:
      return { ...style, bold: true };
    case 2:
      return { ...style, dim: true };
    case 3:
      return { ...style, italic: true };
    case 4:
    case 21:
      return { ...style, underline: true };
    case 7:
      return { ...style, inverse: true };
    case 9:
      return { ...style, strike: true };
    case 22:
      return { ...style, bold: false, dim: false };
    case 23:
      return { ...style, italic: false };
    case 24:
      return { ...style, underline: false };
    case 27:
      return { ...style, inverse: false };
    case 29:
      return { ...style, strike: false };
    case 39:
      return { ...style, fg: DEFAULT_COLOR };
    case 49:
      return { ...style, bg: DEFAULT_COLOR };
    default:
      return style;
  }
}

function extendedColor(codes: number[], from: number): { color: TerminalColor | null; used: number } {
  if (codes[from] === 5) {
    const index = codes[from + 1];
    return { color: index !== undefined && index >= 0 && index <= 255 ? index : null, used: 2 };
  }
  if (codes[from] === 2) {
    const [r = 0, g = 0, b = 0] = codes.slice(from + 1, from + 4).map((part) => Math.min(255, part || 0));
    return { color: RGB_FLAG | (r << 16) | (g << 8) | b, used: 4 };
  }
  return { color: null, used: 1 };
}

/** CSS of a colour: the sixteen named ones are tokens, so that they are readable in both themes. */
export function cssColor(color: TerminalColor): string | undefined {
  if (color === DEFAULT_COLOR) return undefined;
  if (color < 16) return `var(--ansi-${color})`;
  if (color >= RGB_FLAG) return `rgb(${(color >> 16) & 255} ${(color >> 8) & 255} ${color & 255})`;
  if (color >= 232) {
    const gray = (color - 232) * 10 + 8;
    return `rgb(${gray} ${gray} ${gray})`;
  }
  const cube = color - 16;
  const level = (step: number) => (step === 0 ? 0 : step * 40 + 55);
  return `rgb(${level(Math.floor(cube / 36))} ${level(Math.floor(cube / 6) % 6)} ${level(cube % 6)})`;
}
