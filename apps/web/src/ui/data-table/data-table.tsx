"use client";
/**
 * A dense virtual table: 32 px rows on a wide screen, two-line rows on a narrow one. Owns the cursor (j, k, arrows), the
 * selection is the caller's. Rows keep their identity by `rowId`, so live updates never move the cursor to another thing.
 */
import {
  createColumnHelper,
  type RowSelectionState,
  rowSelectionFeature,
  tableFeatures,
  useTable,
} from "@tanstack/react-table";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, useEffect, useMemo, useRef, useState } from "react";
import { Checkbox } from "../checkbox.tsx";
import { cx } from "../cx.ts";
import { type Command, useCommands } from "../palette/commands.ts";
import { useNarrow } from "../use-narrow.ts";

export type Column<T> = {
  id: string;
  header: string;
  /** A track of a CSS grid: "96px", "minmax(160px, 2fr)". */
  width: string;
  cell: (row: T) => ReactNode;
  align?: "end";
};

export type DataTableProps<T> = {
  label: string;
  rows: readonly T[];
  rowId: (row: T) => string;
  columns: readonly Column<T>[];
  /** Both lines of a row on a narrow screen. */
  narrowRow: (row: T) => ReactNode;
  onOpen: (row: T) => void;
  selected: ReadonlySet<string>;
  onSelect: (selected: Set<string>) => void;
  /** Called when the last rows come into view. */
  onEnd?: () => void;
  footer?: ReactNode;
};

const ROW_PX = 32;
const NARROW_ROW_PX = 56;
const END_ROWS = 30;
const features = tableFeatures({ rowSelectionFeature });

export function DataTable<T extends object>(props: DataTableProps<T>) {
  const { rows, rowId, columns, onOpen, selected, onSelect, onEnd } = props;
  const narrow = useNarrow();
  const scroller = useRef<HTMLDivElement>(null);
  const [cursorId, setCursorId] = useState<string | null>(null);

  const definitions = useMemo(() => {
    const helper = createColumnHelper<typeof features, T>();
    return columns.map((column) =>
      helper.display({ id: column.id, header: column.header, cell: ({ row }) => column.cell(row.original) }),
    );
  }, [columns]);
  const rowSelection = useMemo<RowSelectionState>(
    () => Object.fromEntries(Array.from(selected, (id) => [id, true as const])),
    [selected],
  );
  const table = useTable({
    features,
    columns: definitions,
    data: rows as T[],
    getRowId: rowId,
    state: { rowSelection },
    onRowSelectionChange: (change) => {
      const next: RowSelectionState = typeof change === "function" ? change(rowSelection) : change;
      onSelect(new Set(Object.keys(next).filter((id) => next[id])));
    },
  });
  const model = table.getRowModel().rows;

  const virtualizer = useVirtualizer({
    count: model.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => (narrow ? NARROW_ROW_PX : ROW_PX),
    getItemKey: (index) => model[index]?.id ?? index,
    overscan: 12,
  });
  useEffect(() => {
    virtualizer.options.estimateSize = () => (narrow ? NARROW_ROW_PX : ROW_PX);
    virtualizer.measure();
  }, [narrow, virtualizer]);

  const items = virtualizer.getVirtualItems();
  const lastIndex = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (onEnd && lastIndex >= model.length - END_ROWS) onEnd();
  }, [onEnd, lastIndex, model.length]);

  function move(by: number): void {
    const at = model.findIndex((row) => row.id === cursorId);
    const next = Math.max(0, Math.min(model.length - 1, at === -1 ? 0 : at + by));
    const row = model[next];
    if (!row) return;
    setCursorId(row.id);
    virtualizer.scrollToIndex(next);
  }
  const cursorRow = () => model.find((row) => row.id === cursorId);
  useTableCommands({
    down: () => move(1),
    up: () => move(-1),
    open: () => {
      const row = cursorRow();
      if (row) onOpen(row.original);
    },
    toggle: () => cursorRow()?.toggleSelected(),
    selectAll: () => table.toggleAllRowsSelected(true),
    clear: () => (selected.size > 0 ? onSelect(new Set()) : setCursorId(null)),
  });

  const template = `32px ${columns.map((column) => column.width).join(" ")}`;
  const allSelected = model.length > 0 && selected.size >= model.length;
  return (
    <div ref={scroller} className="min-h-0 flex-1 overflow-x-hidden overflow-y-auto overscroll-contain">
      <table aria-label={props.label} aria-rowcount={model.length} className="block">
        {!narrow && (
          <thead className="sticky top-0 z-10 block border-b bg-surface-0">
            <tr
              className="grid h-8 items-center gap-3 px-4 text-12 text-content-3"
              style={{ gridTemplateColumns: template }}
            >
              <th>
                <Checkbox
                  aria-label="Select all rows"
                  checked={allSelected ? true : selected.size > 0 ? "indeterminate" : false}
                  onCheckedChange={() => table.toggleAllRowsSelected(!allSelected)}
                />
              </th>
              {columns.map((column) => (
                <th key={column.id} className={cx("truncate font-normal", alignment(column))}>
                  {column.header}
                </th>
              ))}
            </tr>
          </thead>
        )}
        <tbody className="relative block" style={{ height: virtualizer.getTotalSize() }}>
          {items.map((item) => {
            const row = model[item.index];
            if (!row) return null;
            const isSelected = selected.has(row.id);
            return (
              <tr
                key={row.id}
                aria-rowindex={item.index + 1}
                aria-selected={isSelected}
                onClick={(event) => {
                  if (!isControl(event.target)) onOpen(row.original);
                }}
                className={cx(
                  "absolute inset-x-0 top-0 cursor-pointer border-b px-4 hover:bg-surface-2",
                  isSelected && "bg-accent-soft",
                  row.id === cursorId && "bg-surface-2 shadow-[inset_2px_0_0_var(--accent)]",
                  narrow ? "block" : "grid items-center gap-3",
                )}
                style={{
                  height: item.size,
                  transform: `translateY(${item.start}px)`,
                  gridTemplateColumns: narrow ? undefined : template,
                }}
              >
                {narrow ? (
                  <td className="flex h-full flex-col justify-center">{props.narrowRow(row.original)}</td>
                ) : (
                  <>
                    <td>
                      <Checkbox
                        aria-label="Select row"
                        checked={isSelected}
                        onCheckedChange={(checked) => row.toggleSelected(checked === true)}
                      />
                    </td>
                    {row.getAllCells().map((cell, index) => (
                      <td key={cell.id} className={cx("min-w-0 truncate", alignment(columns[index]))}>
                        <table.FlexRender cell={cell} />
                      </td>
                    ))}
                  </>
                )}
              </tr>
            );
          })}
        </tbody>
      </table>
      {props.footer}
    </div>
  );
}

function alignment(column: { align?: "end" } | undefined): string {
  return column?.align === "end" ? "tabular text-right" : "text-left";
}

function isControl(target: EventTarget): boolean {
  return target instanceof Element && target.closest("a,button,input,[role=checkbox]") !== null;
}

type TableActions = Record<"down" | "up" | "open" | "toggle" | "selectAll" | "clear", () => void>;

function useTableCommands(actions: TableActions): void {
  const latest = useRef(actions);
  latest.current = actions;
  const commands = useMemo<Command[]>(() => {
    const command = (id: keyof TableActions, title: string, keys: string): Command => ({
      id: `table-${id}-${keys}`,
      title,
      keys,
      group: "This view",
      keysOnly: true,
      run: () => latest.current[id](),
    });
    return [
      command("down", "Next row", "j"),
      command("up", "Previous row", "k"),
      command("down", "Next row", "arrowdown"),
      command("up", "Previous row", "arrowup"),
      command("open", "Open row", "enter"),
      command("toggle", "Select row", "x"),
      command("selectAll", "Select all loaded rows", "mod+a"),
      command("clear", "Clear selection", "escape"),
    ];
  }, []);
  useCommands(commands);
}
