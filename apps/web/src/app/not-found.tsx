"use client";
import { Compass } from "lucide-react";
import Link from "next/link";
import { Button } from "../ui/button.tsx";
import { EmptyState } from "../ui/view-state.tsx";

export default function NotFound() {
  return (
    <main className="grid min-h-dvh place-items-center">
      <EmptyState
        icon={Compass}
        title="There is no such page"
        action={
          <Button asChild variant="primary">
            <Link href="/">Go to the fleet</Link>
          </Button>
        }
      >
        The address may be mistyped, or from another version.
      </EmptyState>
    </main>
  );
}
