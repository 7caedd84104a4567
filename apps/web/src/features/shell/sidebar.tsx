"use client";
import { ChevronsUpDown, Command, LogOut, Moon, Sun, SunMoon } from "lucide-react";
import Link from "next/link";
import { usePathname } from "next/navigation";
import { cx } from "../../ui/cx.ts";
import { formatCount } from "../../ui/format.ts";
import { Keys } from "../../ui/keys.tsx";
import { Logo } from "../../ui/logo.tsx";
import { Menu, MenuItem, MenuSeparator } from "../../ui/menu.tsx";
import { setTheme, type Theme, useTheme } from "../../ui/theme.ts";
import { useMe } from "../api/me.ts";
import { useSignOut } from "../api/use-sign-out.ts";
import { useLive } from "../live/live-context.tsx";
import { DESTINATIONS, type Destination, isAt } from "./destinations.ts";
import { openPalette } from "./overlays.ts";

export function Sidebar() {
  const { data: me } = useMe();
  return (
    <aside className="flex w-52 shrink-0 flex-col border-r bg-surface-1 narrow:hidden">
      <div className="flex h-12 items-center gap-2.5 px-4">
        <Logo className="size-4.5" />
        <span className="font-semibold">Nexus</span>
        <span className="truncate text-content-3">{me?.team.name}</span>
      </div>
      <div className="px-2 pb-2">
        <button
          type="button"
          onClick={openPalette}
          className="flex h-8 w-full items-center gap-2 rounded-md border bg-surface-0 px-2.5 text-12 text-content-3 transition-colors hover:border-border-2 hover:text-content-2"
        >
          <Command aria-hidden className="size-3.5" />
          Commands
          <Keys keys="mod+k" className="ml-auto" />
        </button>
      </div>
      <nav aria-label="Main" className="flex flex-1 flex-col gap-0.5 overflow-y-auto px-2">
        {DESTINATIONS.map((destination) => (
          <NavLink key={destination.href} destination={destination} />
        ))}
      </nav>
      <UserMenu name={me?.user.name} email={me?.user.email} />
    </aside>
  );
}

function NavLink({ destination }: { destination: Destination }) {
  const active = isAt(usePathname(), destination.href);
  const { icon: Icon } = destination;
  return (
    <Link
      href={destination.href}
      aria-current={active ? "page" : undefined}
      className={cx(
        "group flex h-8 items-center gap-2.5 rounded-md px-2.5 font-medium transition-colors",
        active ? "bg-surface-3 text-content-1" : "text-content-2 hover:bg-surface-2 hover:text-content-1",
      )}
    >
      <Icon aria-hidden className="size-4" strokeWidth={1.75} />
      {destination.label}
      <NavCount href={destination.href} />
    </Link>
  );
}

function NavCount({ href }: { href: Destination["href"] }) {
  const { fleet } = useLive();
  if (!fleet) return null;
  const text =
    href === "/"
      ? `${fleet.targets.filter((target) => target.state === "connected").length}/${fleet.targets.length}`
      : href === "/jobs" && fleet.running + fleet.queued > 0
        ? formatCount(fleet.running + fleet.queued)
        : null;
  return text && <span className="ml-auto text-12 font-normal text-content-3">{text}</span>;
}

function ThemeItems() {
  const { theme } = useTheme();
  const icons = { system: SunMoon, light: Sun, dark: Moon };
  const order: Theme[] = ["system", "light", "dark"];
  return order.map((one) => {
    const Icon = icons[one];
    return (
      <MenuItem key={one} icon={<Icon />} onSelect={() => setTheme(one)}>
        <span className={cx(one === theme && "font-medium")}>
          {one === "system" ? "Theme of the system" : `${one[0]?.toUpperCase()}${one.slice(1)} theme`}
          {one === theme && <span className="text-content-3"> · now</span>}
        </span>
      </MenuItem>
    );
  });
}

function UserMenu({ name, email }: { name: string | undefined; email: string | undefined }) {
  const signOut = useSignOut();
  return (
    <div className="border-t p-2">
      <Menu
        side="top"
        align="start"
        trigger={
          <button
            type="button"
            className="flex w-full items-center gap-2.5 rounded-md px-2 py-1.5 text-left transition-colors hover:bg-surface-2"
          >
            <span
              aria-hidden
              className="grid size-6 shrink-0 place-items-center rounded-full bg-surface-3 text-11 font-semibold text-content-2"
            >
              {(name ?? "?").slice(0, 1).toUpperCase()}
            </span>
            <span className="min-w-0 flex-1">
              <span className="block truncate text-12 leading-4 font-medium">{name ?? "…"}</span>
              <span className="block truncate text-11 leading-4 text-content-3">{email}</span>
            </span>
            <ChevronsUpDown aria-hidden className="size-3.5 text-content-3" />
          </button>
        }
      >
        <ThemeItems />
        <MenuSeparator />
        <MenuItem icon={<LogOut />} onSelect={signOut}>
          Sign out
        </MenuItem>
      </Menu>
    </div>
  );
}
