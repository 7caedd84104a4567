"use client";
import {
  ArrowDownToLine,
  ChevronDown,
  ChevronUp,
  Copy,
  Download,
  Link2,
  Search,
  TextWrap,
  X,
} from "lucide-react";
import type { KeyboardEvent, Ref } from "react";
import { Button, IconButton } from "../button.tsx";
import { cx } from "../cx.ts";
import { formatCount, plural } from "../format.ts";
import type { SearchState } from "./search.ts";

export type LogToolbarProps = {
  searchRef: Ref<HTMLInputElement>;
  query: string;
  onQuery: (query: string) => void;
  search: SearchState;
  /** Position among the matches, from 0; null when none is chosen. */
  current: number | null;
  onStep: (by: 1 | -1) => void;
  /** Less than the whole log is loaded, so a search is not the whole truth. */
  partial: boolean;
  following: boolean;
  onFollow: (following: boolean) => void;
  wrap: boolean;
  onWrap: (wrap: boolean) => void;
  downloadHref: string | undefined;
  picked: number;
  onCopy: () => void;
  onCopyLink: (() => void) | undefined;
  onUnpick: () => void;
};

export function LogToolbar(props: LogToolbarProps) {
  return (
    <div className="flex min-h-10 flex-wrap items-center gap-x-1 gap-y-1 border-b bg-surface-1 py-1 pr-2 pl-3">
      <SearchBox {...props} />
      <div className="ml-auto flex items-center gap-1">
        {props.picked > 0 && <PickedActions {...props} />}
        <IconButton
          label={props.following ? "Following the end" : "Follow the end"}
          pressed={props.following}
          size="small"
          onClick={() => props.onFollow(!props.following)}
        >
          <ArrowDownToLine />
        </IconButton>
        <IconButton
          label="Wrap lines"
          pressed={props.wrap}
          size="small"
          onClick={() => props.onWrap(!props.wrap)}
        >
          <TextWrap />
        </IconButton>
        {props.downloadHref && <IconButtonLink href={props.downloadHref} label="Download the raw log" />}
      </div>
    </div>
  );
}

function IconButtonLink({ href, label }: { href: string; label: string }) {
  return (
    <Button asChild variant="ghost" size="small" className="w-7 px-0!">
      <a href={href} download aria-label={label} title={label}>
        <Download />
      </a>
    </Button>
  );
}

function PickedActions({ picked, onCopy, onCopyLink, onUnpick }: LogToolbarProps) {
  return (
    <>
      <Button variant="ghost" size="small" onClick={onCopy}>
        <Copy />
        <span className="narrow:sr-only">{plural(picked, "line")}</span>
      </Button>
      {onCopyLink && (
        <IconButton label="Copy link to these lines" size="small" onClick={onCopyLink}>
          <Link2 />
        </IconButton>
      )}
      <IconButton label="Clear selection" size="small" onClick={onUnpick}>
        <X />
      </IconButton>
      <span aria-hidden className="mx-1 h-4 border-l" />
    </>
  );
}

function SearchBox({ searchRef, query, onQuery, search, current, onStep, partial }: LogToolbarProps) {
  function onKeyDown(event: KeyboardEvent<HTMLInputElement>): void {
    if (event.key === "Enter") onStep(event.shiftKey ? -1 : 1);
    else if (event.key === "Escape") {
      onQuery("");
      event.currentTarget.blur();
    } else return;
    event.preventDefault();
  }
  return (
    <div className="flex min-w-0 flex-1 items-center gap-1.5 wide:max-w-md narrow:min-w-40">
      <Search aria-hidden className="size-3.5 shrink-0 text-content-3" />
      <input
        ref={searchRef}
        value={query}
        onChange={(event) => onQuery(event.target.value)}
        onKeyDown={onKeyDown}
        placeholder="Search this log"
        aria-label="Search this log"
        spellCheck={false}
        autoComplete="off"
        className="h-7 min-w-0 flex-1 bg-transparent outline-none placeholder:text-content-3 narrow:text-16"
      />
      {query !== "" && (
        <>
          <span
            role="status"
            className={cx(
              "shrink-0 text-12 text-content-3",
              search.matches.length === 0 && search.done && "text-wait",
            )}
            title={
              partial
                ? "Only the part of the log that is loaded is searched. Scroll up to load more."
                : undefined
            }
          >
            {matchesText(search, current)}
            {partial && " in loaded part"}
          </span>
          <IconButton label="Previous match" size="small" onClick={() => onStep(-1)}>
            <ChevronUp />
          </IconButton>
          <IconButton label="Next match" size="small" onClick={() => onStep(1)}>
            <ChevronDown />
          </IconButton>
        </>
      )}
    </div>
  );
}

function matchesText(search: SearchState, current: number | null): string {
  const count = search.total;
  if (count === 0) return search.done ? "none" : "…";
  const total = `${formatCount(count)}${search.done ? "" : "…"}`;
  return current === null ? total : `${formatCount(current + 1)} of ${total}`;
}
