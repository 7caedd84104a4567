"use client";
import { Command } from "lucide-react";
import Link from "next/link";
import { usePathname } from "next/navigation";
import { cx } from "../../ui/cx.ts";
import { DESTINATIONS, isAt } from "./destinations.ts";
import { openPalette } from "./overlays.ts";

const ITEM = "flex h-14 flex-1 flex-col items-center justify-center gap-1 text-11 font-medium";

/** The navigation of a narrow screen, within a thumb's reach. */
export function BottomBar() {
  const pathname = usePathname();
  return (
    <nav
      aria-label="Main"
      className="hidden shrink-0 border-t bg-surface-1 pb-[env(safe-area-inset-bottom)] narrow:flex"
    >
      {DESTINATIONS.filter(({ isOnPhone }) => isOnPhone).map(({ href, label, icon: Icon }) => {
        const active = isAt(pathname, href);
        return (
          <Link
            key={href}
            href={href}
            aria-current={active ? "page" : undefined}
            className={cx(ITEM, active ? "text-content-1" : "text-content-3")}
          >
            <Icon aria-hidden className="size-5" strokeWidth={active ? 2 : 1.6} />
            {label}
          </Link>
        );
      })}
      <button type="button" onClick={openPalette} className={cx(ITEM, "text-content-3")}>
        <Command aria-hidden className="size-5" strokeWidth={1.6} />
        More
      </button>
    </nav>
  );
}
