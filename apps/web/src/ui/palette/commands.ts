"use client";
/**
 * What can be done on the page now. Every view declares its commands while it is shown; the palette lists them all, the
 * shortcut sheet those with keys, and one key listener runs them. Later declarations win a key, so a view may take a key
 * from the shell.
 */
import type { LucideIcon } from "lucide-react";
import { useEffect, useId, useSyncExternalStore } from "react";

export type Command = {
  id: string;
  title: string;
  /** "mod+k" together, "g f" one after the other. */
  keys?: string;
  group: "Go to" | "Do" | "This view" | "Jobs" | "Targets";
  icon?: LucideIcon;
  /** Further words to be found by. */
  words?: string;
  /** Shown beside the title in the palette. */
  note?: string;
  /** Not in the palette: moving in a list and the like. */
  keysOnly?: boolean;
  disabledReason?: string | null;
  run: () => void;
};

const declared = new Map<string, readonly Command[]>();
const listeners = new Set<() => void>();
let all: readonly Command[] = [];
const NONE: readonly Command[] = [];

/** @param commands a stable array (useMemo), declared while the component is mounted. */
export function useCommands(commands: readonly Command[]): void {
  const owner = useId();
  useEffect(() => {
    declared.set(owner, commands);
    publish();
    return () => {
      declared.delete(owner);
      publish();
    };
  }, [owner, commands]);
}

export function useAllCommands(): readonly Command[] {
  return useSyncExternalStore(
    subscribe,
    () => all,
    () => NONE,
  );
}

export function currentCommands(): readonly Command[] {
  return all;
}

function publish(): void {
  all = [...declared.values()].flat();
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
