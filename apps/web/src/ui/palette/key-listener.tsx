"use client";
import { useEffect } from "react";
import { currentCommands } from "./commands.ts";
import { matchKey, type Pending } from "./key-sequence.ts";

/** Runs commands by their keys. Silent while a person types, and while a dialog or a menu is open. */
export function KeyListener() {
  useEffect(() => {
    let pending: Pending = null;
    function onKeyDown(event: KeyboardEvent): void {
      const mod = event.metaKey || event.ctrlKey;
      // A checkbox refuses every Enter, so that it does not submit its form; it has no use for one with Ctrl or ⌘.
      const isRefusedEnter = mod && event.key === "Enter" && isCheckbox(event.target);
      if ((event.defaultPrevented && !isRefusedEnter) || event.isComposing) return;
      if (!mod && (isTyping(event.target) || document.querySelector(OVERLAY))) return;
      const commands = currentCommands().filter((command) => command.keys && !command.disabledReason);
      const press = { key: event.key, mod, alt: event.altKey, atMs: event.timeStamp };
      const result = matchKey(
        press,
        pending,
        commands.map((command) => command.keys ?? ""),
      );
      pending = result.pending;
      const command = commands.findLast(({ keys }) => keys === result.matched);
      if (!command) return;
      event.preventDefault();
      command.run();
    }
    window.addEventListener("keydown", onKeyDown);
    return () => window.removeEventListener("keydown", onKeyDown);
  }, []);
  return null;
}

const OVERLAY = '[role="dialog"],[role="menu"],[role="listbox"][data-state="open"]';

function isCheckbox(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.role === "checkbox";
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || target.matches("input:not([type=checkbox]), textarea, select");
}
