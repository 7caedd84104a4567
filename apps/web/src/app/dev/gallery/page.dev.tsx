import type { Metadata } from "next";
import { Suspense } from "react";
import { Gallery } from "./gallery.tsx";

export const metadata: Metadata = { title: "Gallery" };

/** Every primitive and every view in every state, over seed data. Linked from nowhere. */
export default function GalleryPage() {
  return (
    <Suspense>
      <Gallery />
    </Suspense>
  );
}
