"use client";
import { useSyncExternalStore } from "react";

/** The same break as the `narrow:` classes, for what must be built differently rather than styled differently. */
const QUERY = "(width < 768px)";

export function useNarrow(): boolean {
  return useSyncExternalStore(
    subscribe,
    () => matchMedia(QUERY).matches,
    () => false,
  );
}

function subscribe(listener: () => void): () => void {
  const media = matchMedia(QUERY);
  media.addEventListener("change", listener);
  return () => media.removeEventListener("change", listener);
}
