import type { Ink, Paint } from "./paint.ts";
import { plain } from "./plain.ts";
import { displayWidth, fitWidth, wrapWidth } from "./width.ts";

export type Cell = string | { text: string; ink: Ink };

export type Column = {
  title: string;
  align?: "left" | "right";
  /** May be cut where the terminal is narrow, down to this many columns. The widest is cut first. */
  cutTo?: number;
  /** Left out where the terminal is so narrow that cutting does not do; the highest number first. */
  leaveOut?: number;
  /** The last column only: goes on in lines of its own below instead of being cut. */
  wraps?: boolean;
};

export type TableSettings = {
  paint: Paint;
  /** Columns of the terminal; null in a pipe, where nothing is cut. */
  columns: number | null;
  indent?: string;
};

const GAP = "  ";
/** On a terminal too narrow for anything, no column is cut below this. */
const CUT_MIN = 3;

/** Lines of an aligned table. Every cell is made harmless here, so no caller can forget it. */
export function tableLines(columns: Column[], rows: Cell[][], settings: TableSettings): string[] {
  const { paint, indent = "" } = settings;
  const { texts, widths } = measure(columns, rows, settings);
  const shown = columns.flatMap((column, at) => (widths[at] === null ? [] : [{ ...column, at }]));

  function line(cells: string[], ink: (at: number) => Ink | null): string {
    const painted = shown.map(({ at, align }, position) => {
      const text = fitWidth(cells[at] ?? "", widths[at] ?? 0);
      const space = " ".repeat(Math.max(0, (widths[at] ?? 0) - displayWidth(text)));
      const colour = ink(at);
      const inked = colour ? paint(colour, text) : text;
      if (align === "right") return space + inked;
      return position === shown.length - 1 ? inked : inked + space;
    });
    return (indent + painted.join(GAP)).trimEnd();
  }

  function rowLines(cells: string[], ink: (at: number) => Ink | null): string[] {
    const last = shown.at(-1);
    if (!last?.wraps) return [line(cells, ink)];
    const parts = wrapWidth(cells[last.at] ?? "", widths[last.at] ?? 0);
    return parts.map((part, y) => {
      const own = cells.map((text, at) => (at === last.at ? part : y === 0 ? text : ""));
      return line(own, ink);
    });
  }

  const head = line(
    columns.map(({ title }) => title),
    () => "dim",
  );
  const body = texts.flatMap((row, y) =>
    rowLines(row, (at) => {
      const cell = rows[y]?.[at];
      return cell === undefined || typeof cell === "string" ? null : cell.ink;
    }),
  );
  return columns.some(({ title }) => title !== "") ? [head, ...body] : body;
}

/** The titles of columns that say something and for which the terminal is too narrow. */
export function columnsLeftOut(columns: Column[], rows: Cell[][], settings: TableSettings): string[] {
  const { texts, widths } = measure(columns, rows, settings);
  return columns.flatMap(({ title }, at) =>
    widths[at] === null && texts.some((row) => (row[at] ?? "") !== "") ? [title] : [],
  );
}

function measure(columns: Column[], rows: Cell[][], settings: TableSettings) {
  const texts = rows.map((row) => row.map((cell) => plain(typeof cell === "string" ? cell : cell.text)));
  const natural = columns.map(({ title }, at) =>
    Math.max(displayWidth(title), ...texts.map((row) => displayWidth(row[at] ?? ""))),
  );
  return { texts, widths: fitColumns(columns, natural, settings) };
}

/** @returns the width of each column; null for those that are left out. */
function fitColumns(
  columns: Column[],
  natural: number[],
  { columns: room, indent = "" }: TableSettings,
): (number | null)[] {
  const widths: (number | null)[] = [...natural];
  if (room === null) return widths;
  const total = (of: (number | null)[]) => {
    const shown = of.filter((width) => width !== null);
    return indent.length + shown.reduce((sum, width) => sum + width, 0) + GAP.length * (shown.length - 1);
  };
  const least = (at: number) => Math.min(natural[at] ?? 0, columns[at]?.cutTo ?? Number.POSITIVE_INFINITY);
  const leavable = columns
    .map(({ leaveOut }, at) => ({ at, leaveOut: leaveOut ?? 0 }))
    .filter(({ leaveOut }) => leaveOut > 0)
    .sort((a, b) => b.leaveOut - a.leaveOut);
  for (const { at } of leavable) {
    if (total(widths.map((width, place) => (width === null ? null : least(place)))) <= room) break;
    widths[at] = null;
  }
  cutTo(room, (at) => columns[at]?.cutTo ?? Number.POSITIVE_INFINITY);
  cutTo(room, () => CUT_MIN);
  return widths;

  /** Takes from the widest, and evenly where several are as wide. */
  function cutTo(limit: number, floor: (at: number) => number): void {
    for (let excess = total(widths) - limit; excess > 0; excess = total(widths) - limit) {
      const cuttable = widths
        .map((width, at) => ({ at, width: width ?? 0, spare: (width ?? 0) - floor(at) }))
        .filter(({ spare }) => spare > 0)
        .sort((a, b) => b.width - a.width);
      const [widest, next] = cuttable;
      if (!widest) return;
      const step = Math.min(excess, widest.spare, Math.max(1, widest.width - (next?.width ?? 0)));
      widths[widest.at] = widest.width - step;
    }
  }
}

/** Parts of one line, in their colours, cut where the terminal ends. */
export function fitLine(parts: Cell[], { paint, columns }: TableSettings): string {
  let room = columns ?? Number.POSITIVE_INFINITY;
  let shown = "";
  for (const part of parts) {
    const { text, ink } = typeof part === "string" ? { text: part, ink: null } : part;
    const fitting = fitWidth(plain(text), room);
    room -= displayWidth(fitting);
    shown += ink ? paint(ink, fitting) : fitting;
  }
  return shown.trimEnd();
}
