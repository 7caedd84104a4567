import { CircleFadingPlus, ListTree, type LucideIcon, Plus, Server, Settings2 } from "lucide-react";

export type Destination = {
  href: "/" | "/jobs" | "/submit" | "/enroll" | "/settings";
  label: string;
  icon: LucideIcon;
  keys: string;
};

export const DESTINATIONS: readonly Destination[] = [
  { href: "/", label: "Fleet", icon: Server, keys: "g f" },
  { href: "/jobs", label: "Jobs", icon: ListTree, keys: "g j" },
  { href: "/submit", label: "Submit", icon: Plus, keys: "c" },
  { href: "/enroll", label: "Enrol", icon: CircleFadingPlus, keys: "g e" },
  { href: "/settings", label: "Settings", icon: Settings2, keys: "g s" },
];

export function isAt(pathname: string, href: Destination["href"]): boolean {
  return href === "/" ? pathname === "/" : pathname === href || pathname.startsWith(`${href}/`);
}
