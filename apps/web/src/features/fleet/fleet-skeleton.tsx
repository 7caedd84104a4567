import { Skeleton } from "../../ui/skeleton.tsx";

export function FleetSkeleton() {
  return (
    <div role="status" aria-label="Loading the fleet" className="flex flex-col gap-3 p-6 narrow:p-3">
      <Skeleton className="h-16 rounded-lg" />
      {[8, 4].map((gpus) => (
        <div key={gpus} className="rounded-lg border bg-surface-1 p-3">
          <Skeleton className="mb-4 h-3 w-40" />
          <div className="grid grid-cols-[repeat(auto-fill,minmax(132px,1fr))] gap-2 narrow:grid-cols-2">
            {Array.from({ length: gpus }, (_, index) => `gpu-${index}`).map((key) => (
              <Skeleton key={key} className="h-24 rounded-md" />
            ))}
          </div>
        </div>
      ))}
    </div>
  );
}
