"use client";
import type { Target } from "@nexus/shared/api/schemas";
import { LayoutGrid, Plus, Rows3, Search, Server } from "lucide-react";
import Link from "next/link";
import { parseAsString, parseAsStringLiteral, useQueryState } from "nuqs";
import { useMemo, useRef } from "react";
import { Button } from "../../ui/button.tsx";
import { Input } from "../../ui/field.tsx";
import { Page } from "../../ui/page.tsx";
import { type Command, useCommands } from "../../ui/palette/commands.ts";
import { Segmented } from "../../ui/segmented.tsx";
import { Dimmed, EmptyState, ErrorState } from "../../ui/view-state.tsx";
import { useConnection } from "../api/api-context.tsx";
import { problemOf } from "../api/problem.ts";
import { useLive } from "../live/live-context.tsx";
import { FleetSkeleton } from "./fleet-skeleton.tsx";
import { FleetTotalsBar } from "./fleet-totals-bar.tsx";
import { TargetList } from "./target-list.tsx";
import { TargetPanel } from "./target-panel.tsx";
import { TargetRow } from "./target-row.tsx";

const LAYOUTS = ["cells", "table"] as const;

export function FleetView() {
  const { fleet, fleetError } = useLive();
  const { lostSinceMs } = useConnection();
  const [text, setText] = useQueryState("q", parseAsString.withDefault(""));
  const [layout, setLayout] = useQueryState("layout", parseAsStringLiteral(LAYOUTS).withDefault("cells"));
  const searchBox = useRef<HTMLInputElement>(null);
  const scroller = useRef<HTMLDivElement>(null);
  useFleetCommands(searchBox);

  const shown = useMemo(
    () => (fleet?.targets ?? []).filter((target) => matches(target, text)),
    [fleet, text],
  );
  const stale = fleet !== null && lostSinceMs !== null;

  return (
    <Page
      title="Fleet"
      scroller={scroller}
      actions={
        <>
          {fleet && fleet.targets.length > 3 && (
            <>
              <div className="relative narrow:hidden">
                <Search
                  aria-hidden
                  className="pointer-events-none absolute top-2 left-2.5 size-4 text-content-3"
                />
                <Input
                  ref={searchBox}
                  value={text}
                  onChange={(event) => void setText(event.target.value || null)}
                  onKeyDown={(event) => event.key === "Escape" && event.currentTarget.blur()}
                  placeholder="Name or label"
                  aria-label="Filter targets"
                  className="w-48 pl-8"
                />
              </div>
              <Segmented
                compact
                label="Layout"
                value={layout}
                onChange={(next) => void setLayout(next)}
                options={[
                  { value: "cells", label: "A cell per GPU", icon: <LayoutGrid /> },
                  { value: "table", label: "A row per target", icon: <Rows3 /> },
                ]}
              />
            </>
          )}
          <Button asChild>
            <Link href="/enroll">
              <Plus /> Enrol
            </Link>
          </Button>
        </>
      }
    >
      {fleet ? (
        <Dimmed stale={stale} className="flex flex-col gap-3 p-6 narrow:p-3">
          {fleet.targets.length > 0 && <FleetTotalsBar fleet={fleet} />}
          {fleet.targets.length === 0 ? (
            <NoTargets />
          ) : shown.length === 0 ? (
            <EmptyState
              icon={Search}
              title={`No target matches “${text}”`}
              action={<Button onClick={() => void setText(null)}>Show all</Button>}
            >
              Names and labels are searched.
            </EmptyState>
          ) : layout === "table" ? (
            <TargetList
              key={layout}
              targets={shown}
              scroller={scroller}
              heightPx={41}
              gapPx={0}
              className="overflow-hidden rounded-lg border bg-surface-1"
              draw={(target) => <TargetRow target={target} />}
            />
          ) : (
            <TargetList
              key={layout}
              targets={shown}
              scroller={scroller}
              heightPx={160}
              gapPx={12}
              draw={(target) => <TargetPanel target={target} history={fleet.history} />}
            />
          )}
        </Dimmed>
      ) : fleetError ? (
        <ErrorState problem={problemOf(fleetError)} />
      ) : (
        <FleetSkeleton />
      )}
    </Page>
  );
}

function NoTargets() {
  return (
    <EmptyState
      icon={Server}
      title="No machine yet"
      action={
        <Button asChild variant="primary">
          <Link href="/enroll">Enrol the first machine</Link>
        </Button>
      }
    >
      One command on a machine adds it to the fleet. It dials out, so it needs no open port and no VPN.
    </EmptyState>
  );
}

function matches(target: Target, text: string): boolean {
  if (text === "") return true;
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const haystack = [
    target.name,
    target.id,
    target.state,
    ...Object.entries(target.labels).map((pair) => pair.join("=")),
  ]
    .join(" ")
    .toLowerCase();
  return words.every((word) => haystack.includes(word));
}

function useFleetCommands(searchBox: { current: HTMLInputElement | null }): void {
  const commands = useMemo<Command[]>(
    () => [
      {
        id: "fleet-search",
        title: "Filter targets",
        keys: "/",
        group: "This view",
        run: () => searchBox.current?.focus(),
      },
    ],
    [searchBox],
  );
  useCommands(commands);
}
