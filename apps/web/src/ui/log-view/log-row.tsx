"use client";
import { type CSSProperties, type MouseEvent, memo, useMemo } from "react";
import { cx } from "../cx.ts";
import { formatBytes, formatCount } from "../format.ts";
import { markSpans } from "./highlight.ts";
import type { LogWindow } from "./log-window.ts";
import type { GapRow, LogRow, TextRow } from "./row-scanner.ts";
import { matchRanges } from "./search.ts";
import { cssColor, PLAIN, type TextStyle } from "./sgr.ts";

export const ROW_HEIGHT = 20;

type LogRowProps = {
  window: LogWindow;
  row: LogRow;
  /** From 1; null where it is not known. It may become known later. */
  number: number | null;
  wrap: boolean;
  query: string;
  current: boolean;
  picked: boolean;
  onPick: (row: LogRow, extend: boolean) => void;
};

export const LogRowView = memo(function LogRowView(props: LogRowProps) {
  return props.row.kind === "gap" ? <GapLine row={props.row} /> : <TextLine {...props} row={props.row} />;
});

function TextLine({
  window,
  row,
  number,
  wrap,
  query,
  current,
  picked,
  onPick,
}: LogRowProps & { row: TextRow }) {
  const spans = useMemo(() => window.spans(row), [window, row]);
  const pieces = useMemo(() => {
    const ranges = query === "" ? [] : matchRanges(spans.map((span) => span.text).join(""), query);
    return markSpans(spans, ranges);
  }, [spans, query]);
  return (
    <div
      className={cx(
        "flex min-h-5 min-w-full font-mono text-12 leading-5",
        picked ? "bg-accent-soft" : "hover:bg-surface-2",
        current && "bg-surface-3",
      )}
    >
      <Gutter window={window} number={number} row={row} picked={picked} onPick={onPick} />
      <span
        className={cx(
          "min-w-0 flex-1 pr-4 [tab-size:8] [unicode-bidi:plaintext]",
          wrap ? "wrap-anywhere whitespace-pre-wrap" : "whitespace-pre",
        )}
      >
        {pieces.map((piece, index) => (
          <Piece
            // biome-ignore lint/suspicious/noArrayIndexKey: pieces are cut anew whenever one changes.
            key={index}
            text={piece.text}
            style={piece.style}
            mark={piece.mark ? (current ? "current" : "match") : null}
          />
        ))}
      </span>
    </div>
  );
}

type GutterProps = Pick<LogRowProps, "window" | "number" | "picked" | "onPick"> & { row: TextRow };

/** The number comes from an attribute, so that selecting text never takes it along. */
function Gutter({ window, row, number, picked, onPick }: GutterProps) {
  const first = row.start === window.start && row.start > 0;
  const label = row.continued || first ? "⋯" : number === null ? "·" : formatCount(number);
  return (
    <button
      type="button"
      tabIndex={-1}
      data-label={label}
      aria-label={number === null ? `Select the line at byte ${row.start}` : `Select line ${number}`}
      title={
        row.shown > row.start ? "This line was overwritten in place; its last state is shown." : undefined
      }
      onClick={(event: MouseEvent) => onPick(row, event.shiftKey)}
      className={cx(
        "sticky left-0 w-(--log-gutter) shrink-0 cursor-pointer self-start pr-3 text-right select-none",
        "before:content-[attr(data-label)] hover:text-content-1",
        picked ? "text-accent" : "text-content-3",
      )}
    />
  );
}

function Piece({ text, style, mark }: { text: string; style: TextStyle; mark: "match" | "current" | null }) {
  const css = style === PLAIN ? undefined : spanCss(style);
  if (mark) {
    return (
      <mark
        style={css}
        className={cx(
          "rounded-[2px] text-content-1",
          mark === "current" ? "bg-mark-current" : "bg-mark-match",
        )}
      >
        {text}
      </mark>
    );
  }
  return css ? <span style={css}>{text}</span> : text;
}

function spanCss(style: TextStyle): CSSProperties {
  const fg = cssColor(style.fg);
  const bg = cssColor(style.bg);
  const decoration = [style.underline && "underline", style.strike && "line-through"]
    .filter(Boolean)
    .join(" ");
  return {
    color: style.inverse ? (bg ?? "var(--surface-0)") : fg,
    backgroundColor: style.inverse ? (fg ?? "var(--content-1)") : bg,
    fontWeight: style.bold ? 600 : undefined,
    opacity: style.dim ? 0.7 : undefined,
    fontStyle: style.italic ? "italic" : undefined,
    textDecorationLine: decoration || undefined,
  };
}

function GapLine({ row }: { row: GapRow }) {
  return (
    <div className="hatch flex h-5 items-center gap-2 bg-wait-soft pl-3 text-11 text-content-2" role="note">
      <span aria-hidden className="h-px w-6 bg-wait" />
      {formatBytes(row.end - row.start)} missing (bytes {formatCount(row.start)} to {formatCount(row.end)}):
      the control plane does not have them
    </div>
  );
}
