"use client";
/**
 * The theme: the system's unless a person chose one. The choice lives in localStorage and on `<html data-theme>`, where the
 * stylesheet reads it; theme-script.ts puts it there before the first paint, so nothing flashes.
 */
import { useSyncExternalStore } from "react";
import { THEME_KEY } from "./theme-script.ts";

export type Theme = "system" | "light" | "dark";

const listeners = new Set<() => void>();

export function setTheme(theme: Theme): void {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try {
    if (theme === "system") localStorage.removeItem(THEME_KEY);
    else localStorage.setItem(THEME_KEY, theme);
  } catch {
    // Storage is forbidden here: the choice lasts for this page.
  }
  for (const listener of listeners) listener();
}

export function useTheme(): { theme: Theme; resolved: "light" | "dark" } {
  const snapshot = useSyncExternalStore(subscribe, read, () => "system dark");
  const [theme, resolved] = snapshot.split(" ");
  return { theme: theme as Theme, resolved: resolved as "light" | "dark" };
}

function read(): string {
  const chosen = document.documentElement.dataset.theme;
  if (chosen === "light" || chosen === "dark") return `${chosen} ${chosen}`;
  return `system ${matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"}`;
}

function subscribe(listener: () => void): () => void {
  const media = matchMedia("(prefers-color-scheme: dark)");
  listeners.add(listener);
  media.addEventListener("change", listener);
  return () => {
    listeners.delete(listener);
    media.removeEventListener("change", listener);
  };
}
