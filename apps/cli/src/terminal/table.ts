import type { Ink, Paint } from "./paint.ts";
import { plain } from "./plain.ts";
import { displayWidth, fitWidth } from "./width.ts";

export type Cell = string | { text: string; ink: Ink };

export type Column = {
  title: string;
  align?: "left" | "right";
  /** May be cut where the terminal is narrow, down to this many columns. The widest is cut first. */
  cutTo?: number;
};

export type TableSettings = {
  paint: Paint;
  /** Columns of the terminal; null in a pipe, where nothing is cut. */
  columns: number | null;
  indent?: string;
};

const GAP = "  ";

/** Lines of an aligned table. Every cell is made harmless here, so no caller can forget it. */
export function tableLines(columns: Column[], rows: Cell[][], settings: TableSettings): string[] {
  const { paint, indent = "" } = settings;
  const texts = rows.map((row) => row.map((cell) => plain(typeof cell === "string" ? cell : cell.text)));
  const natural = columns.map(({ title }, at) =>
    Math.max(displayWidth(title), ...texts.map((row) => displayWidth(row[at] ?? ""))),
  );
  const widths = fitColumns(columns, natural, settings);
  const line = (cells: string[], ink: (at: number) => Ink | null) =>
    indent +
    cells
      .map((text, at) => {
        const shown = fitWidth(text, widths[at] ?? 0);
        const space = " ".repeat(Math.max(0, (widths[at] ?? 0) - displayWidth(shown)));
        const colour = ink(at);
        const painted = colour ? paint(colour, shown) : shown;
        if (columns[at]?.align === "right") return space + painted;
        return at === cells.length - 1 ? painted : painted + space;
      })
      .join(GAP)
      .trimEnd();
  const head = line(
    columns.map(({ title }) => title),
    () => "dim",
  );
  const body = texts.map((row, y) =>
    line(row, (at) => {
      const cell = rows[y]?.[at];
      return cell === undefined || typeof cell === "string" ? null : cell.ink;
    }),
  );
  return columns.some(({ title }) => title !== "") ? [head, ...body] : body;
}

function fitColumns(
  columns: Column[],
  natural: number[],
  { columns: room, indent = "" }: TableSettings,
): number[] {
  const widths = [...natural];
  if (room === null) return widths;
  const total = () =>
    indent.length + widths.reduce((sum, width) => sum + width, 0) + GAP.length * (widths.length - 1);
  while (total() > room) {
    const cuttable = columns
      .map(({ cutTo }, at) => ({ at, spare: cutTo === undefined ? 0 : (widths[at] ?? 0) - cutTo }))
      .filter(({ spare }) => spare > 0)
      .sort((a, b) => (widths[b.at] ?? 0) - (widths[a.at] ?? 0));
    const widest = cuttable[0];
    if (!widest) return widths;
    const next = widths[cuttable[1]?.at ?? -1] ?? 0;
    const excess = total() - room;
    // Down to the second widest in one step, and by one where they are level.
    const step = Math.min(excess, widest.spare, Math.max(1, (widths[widest.at] ?? 0) - next));
    widths[widest.at] = (widths[widest.at] ?? 0) - step;
  }
  return widths;
}
