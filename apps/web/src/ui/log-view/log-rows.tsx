"use client";
/**
 * The rows of a log in their scrolling area. Owns the virtual list alone: scrolling renders this part and nothing around it.
 * Rows are keyed by byte offset, so loading more above, or dropping rows there, keeps the place of the reader.
 */
import { useVirtualizer } from "@tanstack/react-virtual";
import {
  type CSSProperties,
  memo,
  type ReactNode,
  type Ref,
  type RefObject,
  useEffect,
  useImperativeHandle,
  useLayoutEffect,
} from "react";
import { cx } from "../cx.ts";
import { formatCount } from "../format.ts";
import type { LogFeedState } from "./log-feed.ts";
import { LogRowView, ROW_HEIGHT } from "./log-row.tsx";
import type { LogRow } from "./row-scanner.ts";

/** Picked lines, as start offsets of the first and the last. */
export type LogRange = { from: number; to: number };

export type LogRowsHandle = {
  /** Scrolls so that the row of this byte is in the middle. */
  show(offset: number): void;
  toStart(): void;
  /** Where the first visible row begins. */
  firstVisible(): number;
};

type LogRowsProps = {
  handle: Ref<LogRowsHandle>;
  scroller: RefObject<HTMLDivElement | null>;
  state: LogFeedState;
  wrap: boolean;
  query: string;
  /** Start of the row with the chosen match. */
  currentOffset: number | null;
  picked: LogRange | null;
  following: boolean;
  empty: ReactNode;
  onPick: (row: LogRow, extend: boolean) => void;
  onScroll: () => void;
  /** The first rows are near. */
  onStart: () => void;
  /** The last rows are near. */
  onEnd: () => void;
};

const EDGE_ROWS = 60;
const AT_END_PX = 8;
const OVERSCAN_ROWS = 16;

export const LogRows = memo(function LogRows(props: LogRowsProps) {
  const { scroller, state, wrap, picked, following, onStart, onEnd } = props;
  const { window: log } = state;

  const virtualizer = useVirtualizer({
    count: log.rowCount,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT,
    getItemKey: (index) => log.row(index)?.start ?? index,
    overscan: OVERSCAN_ROWS,
    anchorTo: "end",
    scrollEndThreshold: AT_END_PX,
  });

  useImperativeHandle(
    props.handle,
    () => ({
      show: (offset) => virtualizer.scrollToIndex(log.indexOf(offset), { align: "center" }),
      toStart: () => virtualizer.scrollToIndex(0),
      firstVisible: () => log.row(virtualizer.range?.startIndex ?? 0)?.start ?? 0,
    }),
    [virtualizer, log],
  );

  // biome-ignore lint/correctness/useExhaustiveDependencies: heights measured with the other setting are worth nothing.
  useLayoutEffect(() => virtualizer.measure(), [virtualizer, wrap]);

  useLayoutEffect(() => {
    const element = scroller.current;
    if (following && element) element.scrollTop = element.scrollHeight;
  });

  const items = virtualizer.getVirtualItems();
  const nearStart = (items[0]?.index ?? 0) < EDGE_ROWS;
  useEffect(() => {
    if (nearStart && !state.loading && !following) onStart();
  }, [nearStart, state, following, onStart]);

  const nearEnd = (items.at(-1)?.index ?? 0) > log.rowCount - EDGE_ROWS;
  useEffect(() => {
    if (nearEnd && !state.loading && !following) onEnd();
  }, [nearEnd, state, following, onEnd]);

  return (
    <div
      ref={scroller}
      onScroll={props.onScroll}
      className="absolute inset-0 overflow-auto overscroll-contain py-1"
      role="log"
      aria-live="off"
      style={gutterWidth(state)}
    >
      {log.rowCount === 0 ? (
        <p className="px-4 py-3 text-content-3">{state.loading ? "Loading the log…" : props.empty}</p>
      ) : (
        <div className="relative w-full" style={{ height: virtualizer.getTotalSize() }}>
          <div
            className={cx("absolute top-0 left-0", wrap ? "w-full" : "min-w-full")}
            style={{ transform: `translateY(${items[0]?.start ?? 0}px)` }}
          >
            {items.map((item) => {
              const row = log.row(item.index);
              if (!row) return null;
              return (
                <div
                  key={item.key}
                  data-index={item.index}
                  ref={wrap ? virtualizer.measureElement : undefined}
                >
                  <LogRowView
                    window={log}
                    row={row}
                    number={log.lineNumber(row)}
                    wrap={wrap}
                    query={props.query}
                    current={row.start === props.currentOffset}
                    picked={picked !== null && row.end >= picked.from && row.start <= picked.to}
                    onPick={props.onPick}
                  />
                </div>
              );
            })}
          </div>
        </div>
      )}
    </div>
  );
});

function gutterWidth({ window }: LogFeedState): CSSProperties {
  const last = window.row(window.rowCount - 1);
  const number = last && window.lineNumber(last);
  const digits = typeof number === "number" ? Math.max(3, formatCount(number).length) : 3;
  return { "--log-gutter": `calc(${digits}ch + 24px)` } as CSSProperties;
}
