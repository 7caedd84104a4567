/**
 * Cells of nvidia-smi's `--format=csv,noheader,nounits`. It separates by ", " and quotes nothing, so a free text (a name,
 * a path) is asked for last and may hold commas; quotes are honoured in case a later version writes them.
 */

/** @returns exactly `columns` cells, or null when the line has fewer: a sentence, or a line cut off. */
export function splitCells(line: string, columns: number): string[] | null {
  const cells: string[] = [];
  let start = 0;
  let quoted = false;
  for (let at = 0; at < line.length && cells.length < columns - 1; at++) {
    const char = line.charCodeAt(at);
    if (char === QUOTE) quoted = !quoted;
    else if (char === COMMA && !quoted) {
      cells.push(cleanCell(line.slice(start, at)));
      start = at + 1;
    }
  }
  cells.push(cleanCell(line.slice(start)));
  return cells.length === columns ? cells : null;
}

const COMMA = 44;
const QUOTE = 34;

function cleanCell(cell: string): string {
  const trimmed = cell.trim();
  const wrapped = trimmed.length > 1 && trimmed.startsWith('"') && trimmed.endsWith('"');
  return wrapped ? trimmed.slice(1, -1).replaceAll('""', '"') : trimmed;
}

/** A number, with or without its unit. `[N/A]`, `[Not Supported]`, `[Insufficient Permissions]`, `ERR!` and the like are null. */
export function numberCell(cell: string | undefined): number | null {
  if (cell === undefined || !NUMBER.test(cell)) return null;
  return Number.parseFloat(cell);
}

const NUMBER = /^-?\d+(\.\d+)?( ?[A-Za-z%]+)?$/;

/** A text that says something; a bracketed refusal is null. */
export function textCell(cell: string | undefined): string | null {
  if (cell === undefined || cell === "" || cell === "N/A" || /^\[.*\]$/.test(cell)) return null;
  return cell;
}

/** What a cell says of a device that is no longer usable, or null. Other refusals only hide the one value. */
export function deviceFault(cell: string): "GPU is lost" | "GPU requires reset" | null {
  if (cell === "[GPU is lost]") return "GPU is lost";
  if (cell === "[GPU requires reset]" || cell === "[Reset Required]") return "GPU requires reset";
  return null;
}
