"use client";
import type { EnrollToken, Target } from "@nexus/shared/api/schemas";
import { LoaderCircle } from "lucide-react";
import Link from "next/link";
import { Button } from "../../ui/button.tsx";
import { formatMib, plural } from "../../ui/format.ts";
import { Status } from "../../ui/status.tsx";
import { useLive } from "../live/live-context.tsx";
import { TARGET_STATUS } from "../status/target-status.ts";

/** Waits for nodes that come with the token, and shows them as they do. */
export function WaitStep({ token }: { token: EnrollToken }) {
  const { fleet } = useLive();
  const waiting = token.state === "live" && token.targets.length < token.usesMax;
  return (
    <div className="flex flex-col gap-2">
      {token.targets.map(({ id, name }) => (
        <Arrived key={id} name={name} target={fleet?.targets.find((target) => target.id === id)} />
      ))}
      {waiting && (
        <p role="status" className="flex items-center gap-2 text-content-2">
          <LoaderCircle aria-hidden className="size-3.5 animate-turn text-active" />
          {token.targets.length === 0
            ? "Waiting for the machine to dial in…"
            : `Waiting for ${plural(token.usesMax - token.targets.length, "more machine")}…`}
        </p>
      )}
      {token.state === "expired" && <p className="text-wait">The token has expired. Make another one.</p>}
      {token.state === "revoked" && <p className="text-bad">The token was revoked.</p>}
    </div>
  );
}

function Arrived({ name, target }: { name: string; target: Target | undefined }) {
  return (
    <div className="flex flex-wrap items-center gap-3 rounded-lg border bg-surface-1 px-3.5 py-2.5">
      <div className="min-w-0">
        <p className="flex items-center gap-2 font-semibold">
          {target && <Status look={TARGET_STATUS[target.state]} iconOnly />}
          {name}
        </p>
        <p className="text-12 text-content-3">
          {target ? describe(target) : "enrolled; it connects in a moment"}
        </p>
      </div>
      <div className="ml-auto flex gap-2">
        <Button asChild>
          <Link href="/">See the fleet</Link>
        </Button>
        <Button asChild variant="primary">
          <Link href={`/submit?target=${encodeURIComponent(name)}`}>Submit a first job</Link>
        </Button>
      </div>
    </div>
  );
}

function describe({ gpus, facts, state }: Target): string {
  if (!facts) return TARGET_STATUS[state].sentence;
  const [gpu] = gpus;
  const machine = `${plural(facts.cpuCount, "CPU")}, ${formatMib(facts.memoryTotalMib)} memory`;
  return gpu ? `${gpus.length}× ${gpu.name}, ${machine}` : `${machine}, ${facts.gpuProblem ?? "no GPU"}`;
}
