"use client";
/** Filters that a person named, in this browser. */
import { useState } from "react";
import * as z from "zod";

const KEY = "nexus-job-views";
const schema = z.array(z.object({ name: z.string().max(40), search: z.string().max(2000) })).max(50);
export type SavedView = z.infer<typeof schema>[number];

export function useSavedViews(): {
  views: SavedView[];
  save: (view: SavedView) => void;
  remove: (name: string) => void;
} {
  const [views, setViews] = useState(read);
  function write(next: SavedView[]): void {
    setViews(next);
    try {
      localStorage.setItem(KEY, JSON.stringify(next));
    } catch {
      // Storage is full or forbidden: the views last for this page.
    }
  }
  return {
    views,
    save: (view) => write([...views.filter(({ name }) => name !== view.name), view]),
    remove: (name) => write(views.filter((view) => view.name !== name)),
  };
}

function read(): SavedView[] {
  try {
    const parsed = schema.safeParse(JSON.parse(localStorage.getItem(KEY) ?? "[]"));
    return parsed.success ? parsed.data : [];
  } catch {
    return [];
  }
}
