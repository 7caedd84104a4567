"use client";
/**
 * A dense virtual table: 32 px rows on a wide screen, two-line rows on a narrow one. Owns the cursor (j, k, arrows). The
 * selection is the caller's, order and filters are the server's. Rows keep their identity by `rowId`, so live updates never
 * move the cursor to another thing.
 */
import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, type ReactNode, useCallback, useEffect, useMemo, useRef, useState } from "react";
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
  /** On a narrow screen: rows show a box, and a tap chooses instead of opening. */
  choosing?: boolean;
  /** Called when the last rows come into view. */
  onEnd?: () => void;
  footer?: ReactNode;
};

const ROW_PX = 32;
const NARROW_ROW_PX = 56;
const END_ROWS = 30;

export function DataTable<T>(props: DataTableProps<T>) {
  const { rows, rowId, columns, onOpen, selected, onSelect, onEnd } = props;
  const narrow = useNarrow();
  const scroller = useRef<HTMLDivElement>(null);
  const [cursorId, setCursorId] = useState<string | null>(null);

  const latest = useRef({ selected, onSelect });
  latest.current = { selected, onSelect };
  const onToggle = useCallback((id: string, on: boolean) => {
    const next = new Set(latest.current.selected);
    if (on) next.add(id);
    else next.delete(id);
    latest.current.onSelect(next);
  }, []);
  const selectAll = (on: boolean) => onSelect(new Set(on ? rows.map(rowId) : []));

  const idAt = (index: number) => {
    const row = rows[index];
    return row === undefined ? undefined : rowId(row);
  };
  const virtualizer = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => (narrow ? NARROW_ROW_PX : ROW_PX),
    getItemKey: (index) => idAt(index) ?? index,
    overscan: 12,
  });
  useEffect(() => {
    virtualizer.options.estimateSize = () => (narrow ? NARROW_ROW_PX : ROW_PX);
    virtualizer.measure();
  }, [narrow, virtualizer]);

  const items = virtualizer.getVirtualItems();
  const lastIndex = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (onEnd && lastIndex >= rows.length - END_ROWS) onEnd();
  }, [onEnd, lastIndex, rows.length]);

  const cursorRow = () => rows.find((row) => rowId(row) === cursorId);
  function move(by: number): void {
    const at = rows.findIndex((row) => rowId(row) === cursorId);
    const next = Math.max(0, Math.min(rows.length - 1, at === -1 ? 0 : at + by));
    const id = idAt(next);
    if (id === undefined) return;
    setCursorId(id);
    virtualizer.scrollToIndex(next);
  }
  useTableCommands({
    down: () => move(1),
    up: () => move(-1),
    open: () => {
      const row = cursorRow();
      if (row) onOpen(row);
    },
    toggle: () => cursorRow() && cursorId !== null && onToggle(cursorId, !selected.has(cursorId)),
    selectAll: () => selectAll(true),
    clear: () => (selected.size > 0 ? selectAll(false) : setCursorId(null)),
  });

  const template = `32px ${columns.map((column) => column.width).join(" ")}`;
  const allSelected = rows.length > 0 && selected.size >= rows.length;
  return (
    <div ref={scroller} className="min-h-0 flex-1 overflow-x-hidden overflow-y-auto overscroll-contain">
      <table aria-label={props.label} aria-rowcount={rows.length} className="block">
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
                  onCheckedChange={() => selectAll(!allSelected)}
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
            const row = rows[item.index];
            if (row === undefined) return null;
            const id = rowId(row);
            return (
              <BodyRow
                key={id}
                id={id}
                record={row}
                index={item.index}
                start={item.start}
                size={item.size}
                selected={selected.has(id)}
                cursor={id === cursorId}
                columns={columns}
                template={narrow ? null : template}
                narrowRow={props.narrowRow}
                choosing={narrow && props.choosing === true}
                onOpen={onOpen}
                onToggle={onToggle}
              />
            );
          })}
        </tbody>
      </table>
      {props.footer}
    </div>
  );
}

type BodyRowProps<T> = Pick<DataTableProps<T>, "columns" | "narrowRow" | "onOpen"> & {
  id: string;
  record: T;
  index: number;
  start: number;
  size: number;
  selected: boolean;
  cursor: boolean;
  choosing: boolean;
  /** Tracks of the grid; null where rows have two lines instead of columns. */
  template: string | null;
  onToggle: (id: string, on: boolean) => void;
};

/** Scrolling makes new rows and moves none, so a row is drawn once for as long as it says the same. */
const BodyRow = memo(function BodyRow<T>(props: BodyRowProps<T>) {
  const { record, columns, selected, template } = props;
  return (
    <tr
      aria-rowindex={props.index + 1}
      aria-selected={selected}
      onClick={(event) => {
        if (props.choosing) props.onToggle(props.id, !selected);
        else if (!isControl(event.target)) props.onOpen(record);
      }}
      className={cx(
        "absolute inset-x-0 top-0 cursor-pointer border-b px-4 hover:bg-surface-2",
        selected && "bg-accent-soft",
        props.cursor && "bg-surface-2 shadow-[inset_2px_0_0_var(--accent)]",
        template === null ? "block" : "grid items-center gap-3",
      )}
      style={{
        height: props.size,
        transform: `translateY(${props.start}px)`,
        gridTemplateColumns: template ?? undefined,
      }}
    >
      {template === null ? (
        <td className="flex h-full items-center gap-3">
          {props.choosing && (
            // The row is what is tapped: the box says what that does.
            <Checkbox aria-label="Select row" checked={selected} className="pointer-events-none size-5" />
          )}
          <div
            className={cx(
              "flex min-w-0 flex-1 flex-col justify-center",
              props.choosing && "pointer-events-none",
            )}
          >
            {props.narrowRow(record)}
          </div>
        </td>
      ) : (
        <>
          <td>
            <Checkbox
              aria-label="Select row"
              checked={selected}
              onCheckedChange={(on) => props.onToggle(props.id, on === true)}
            />
          </td>
          {columns.map((column) => (
            <td key={column.id} className={cx("min-w-0 truncate", alignment(column))}>
              {column.cell(record)}
            </td>
          ))}
        </>
      )}
    </tr>
  );
}) as <T>(props: BodyRowProps<T>) => ReactNode;

function alignment(column: { align?: "end" }): string {
  return column.align === "end" ? "tabular text-right" : "text-left";
}

function isControl(target: EventTarget): boolean {
  return target instanceof Element && target.closest("a,button,input,[role=checkbox]") !== null;
}

type TableActions = Record<"down" | "up" | "open" | "toggle" | "selectAll" | "clear", () => unknown>;

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
