"use client";
import { Check, Copy } from "lucide-react";
import { useEffect, useState } from "react";
import { IconButton } from "./button.tsx";
import { copyText } from "./copy-text.ts";
import { cx } from "./cx.ts";

const SHOWN_MS = 1500;

function useCopied(text: string): [boolean, () => void] {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [copied]);
  return [copied, () => void copyText(text).then(setCopied)];
}

function CopyButton({ text, label = "Copy" }: { text: string; label?: string }) {
  const [copied, copy] = useCopied(text);
  return (
    <IconButton label={copied ? "Copied" : label} onClick={copy} size="small">
      {copied ? <Check className="text-good" /> : <Copy />}
    </IconButton>
  );
}

/** An id or a path: mono, copied by a click on it. */
export function CopyText({ text, className }: { text: string; className?: string }) {
  const [copied, copy] = useCopied(text);
  // A title and no tooltip: in a dialog it has the first focus, with which a tooltip would open.
  return (
    <button
      type="button"
      onClick={copy}
      title="Click to copy"
      className={cx(
        "relative max-w-full rounded-sm text-left font-mono text-12 hover:text-accent",
        className,
      )}
    >
      <span className="block truncate">{text}</span>
      {copied && (
        <span
          role="status"
          className="absolute inset-y-0 right-0 flex items-center gap-1 bg-overlay pl-2 text-good"
        >
          <Check aria-hidden className="size-3" /> Copied
        </span>
      )}
    </button>
  );
}

/** A command to paste into a shell. */
export function CommandBox({ command, prompt = true }: { command: string; prompt?: boolean }) {
  return (
    <div className="flex items-start gap-1 rounded-lg border bg-surface-0 py-1 pr-1 pl-3">
      <code className="min-w-0 flex-1 py-1 font-mono text-12 leading-5 wrap-anywhere text-content-1">
        {prompt && <span className="text-content-3 select-none">$ </span>}
        {command}
      </code>
      <CopyButton text={command} label="Copy command" />
    </div>
  );
}
