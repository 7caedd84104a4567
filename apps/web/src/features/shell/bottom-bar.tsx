"use client";
import Link from "next/link";
import { usePathname } from "next/navigation";
import { cx } from "../../ui/cx.ts";
import { DESTINATIONS, isAt } from "./destinations.ts";

/** The navigation of a narrow screen, within a thumb's reach. */
export function BottomBar() {
  const pathname = usePathname();
  return (
    <nav
      aria-label="Main"
      className="hidden shrink-0 border-t bg-surface-1 pb-[env(safe-area-inset-bottom)] narrow:flex"
    >
      {DESTINATIONS.map(({ href, label, icon: Icon }) => {
        const active = isAt(pathname, href);
        return (
          <Link
            key={href}
            href={href}
            aria-current={active ? "page" : undefined}
            className={cx(
              "flex h-14 flex-1 flex-col items-center justify-center gap-1 text-11 font-medium",
              active ? "text-content-1" : "text-content-3",
            )}
          >
            <Icon aria-hidden className="size-5" strokeWidth={active ? 2 : 1.6} />
            {label}
          </Link>
        );
      })}
    </nav>
  );
}
