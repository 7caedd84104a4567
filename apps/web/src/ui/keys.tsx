import { cx } from "./cx.ts";

/** Keys of a shortcut: "g f" is pressed one after the other, "mod+k" together. */
export function Keys({ keys, className }: { keys: string; className?: string }) {
  return (
    <span className={cx("inline-flex gap-1", className)} aria-hidden>
      {keys.split(" ").map((key) => (
        <kbd
          key={key}
          className="inline-flex h-5 min-w-5 items-center justify-center rounded-sm border bg-surface-2 px-1 font-sans text-11 text-content-2"
        >
          {key.split("+").map(keyName).join(" ")}
        </kbd>
      ))}
    </span>
  );
}

function keyName(key: string): string {
  if (key === "mod") return isApple() ? "⌘" : "Ctrl";
  if (key === "enter") return "↵";
  if (key === "escape") return "Esc";
  if (key === "arrowdown") return "↓";
  if (key === "arrowup") return "↑";
  if (key === "shift") return "⇧";
  if (/^[A-Z]$/.test(key)) return `⇧${key}`;
  return key.length === 1 ? key.toUpperCase() : key;
}

function isApple(): boolean {
  return typeof navigator !== "undefined" && /mac|iphone|ipad/i.test(navigator.userAgent);
}
