import {
  CircleFadingPlus,
  ListOrdered,
  ListTree,
  type LucideIcon,
  Plus,
  Server,
  Settings2,
} from "lucide-react";

export type Destination = {
  href: "/" | "/jobs" | "/queues" | "/submit" | "/enroll" | "/settings";
  label: string;
  icon: LucideIcon;
  keys: string;
  /** In the bar of a phone, which has room for four; the palette has the others. */
  isOnPhone?: true;
};

export const DESTINATIONS: readonly Destination[] = [
  { href: "/", label: "Fleet", icon: Server, keys: "g f", isOnPhone: true },
  { href: "/jobs", label: "Jobs", icon: ListTree, keys: "g j", isOnPhone: true },
  { href: "/queues", label: "Queues", icon: ListOrdered, keys: "g q", isOnPhone: true },
  { href: "/submit", label: "Submit", icon: Plus, keys: "c", isOnPhone: true },
  { href: "/enroll", label: "Enrol", icon: CircleFadingPlus, keys: "g e" },
  { href: "/settings", label: "Settings", icon: Settings2, keys: "g s" },
];

export function isAt(pathname: string, href: Destination["href"]): boolean {
  return href === "/" ? pathname === "/" : pathname === href || pathname.startsWith(`${href}/`);
}
