"use client";
import { ErrorState } from "../ui/view-state.tsx";

/** A bug of ours in a view. The rest of the page stands. */
export default function ViewError({
  error,
  reset,
}: {
  error: Error & { digest?: string };
  reset: () => void;
}) {
  return (
    <main className="grid flex-1 place-items-center">
      <ErrorState
        problem={{
          code: error.digest ?? error.name,
          title: "This view broke",
          next: `${error.message} Trying again may help; if it does not, reload the page.`,
        }}
        onRetry={reset}
      />
    </main>
  );
}
