"use client";
/**
 * The control plane's present, in the browser. One timer for the whole page, running only while something shows time;
 * the offset to the server's clock is told by whoever hears it (`setServerNow`).
 */
import { useSyncExternalStore } from "react";

let offsetMs = 0;
let nowMs = 0;
let timer: ReturnType<typeof setInterval> | null = null;
const listeners = new Set<() => void>();

export function setServerNow(serverNowMs: number): void {
  offsetMs = serverNowMs - Date.now();
}

/** The present, changing once a second. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, present, () => 0);
}

/** The present for an event handler, where no re-rendering is wanted. */
export function serverNow(): number {
  return Date.now() + offsetMs;
}

function present(): number {
  if (nowMs === 0) nowMs = serverNow();
  return nowMs;
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= setInterval(tick, 1000);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0 || !timer) return;
    clearInterval(timer);
    timer = null;
    nowMs = 0;
  };
}

function tick(): void {
  nowMs = serverNow();
  for (const listener of listeners) listener();
}
