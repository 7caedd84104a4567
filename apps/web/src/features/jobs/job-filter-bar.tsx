"use client";
import { JOB_STATES } from "@nexus/shared/machines/job";
import { BookmarkPlus, ListFilter, Search, Trash2, X } from "lucide-react";
import { useRouter } from "next/navigation";
import { useEffect, useMemo, useRef, useState } from "react";
import { Button, IconButton } from "../../ui/button.tsx";
import { cx } from "../../ui/cx.ts";
import { Input } from "../../ui/field.tsx";
import { formatCount } from "../../ui/format.ts";
import { Menu, MenuCheck, MenuItem, MenuSeparator } from "../../ui/menu.tsx";
import { type Command, useCommands } from "../../ui/palette/commands.ts";
import { Select } from "../../ui/select.tsx";
import { useNarrow } from "../../ui/use-narrow.ts";
import { useApiQuery } from "../api/api-context.tsx";
import { useLive } from "../live/live-context.tsx";
import { JOB_STATUS } from "../status/job-status.ts";
import { filtersSet, JOB_VIEWS, type JobFilter, type JobListView } from "./job-filter.ts";
import { useSavedViews } from "./saved-views.ts";

const VIEW_LABEL: Record<JobListView, string> = {
  all: "All",
  active: "Running",
  waiting: "Waiting",
  failed: "Failed",
  mine: "Mine",
};
const TYPING_MS = 200;

type JobFilterBarProps = { filter: JobFilter; onChange: (change: Partial<JobFilter>) => void };

export function JobFilterBar({ filter, onChange }: JobFilterBarProps) {
  const narrow = useNarrow();
  const { fleet } = useLive();
  const counts: Partial<Record<JobListView, number>> = { active: fleet?.running, waiting: fleet?.queued };
  return (
    <div className="flex min-h-11 shrink-0 flex-wrap items-center gap-2 border-b px-6 py-1.5 narrow:px-3">
      {narrow ? (
        <Select
          label="View"
          className="h-8!"
          value={filter.view}
          onChange={(view) => onChange({ view, state: [] })}
          options={JOB_VIEWS.map((view) => ({ value: view, label: VIEW_LABEL[view] }))}
        />
      ) : (
        <div role="tablist" aria-label="Views" className="flex items-center gap-0.5">
          {JOB_VIEWS.map((view) => (
            <button
              key={view}
              type="button"
              role="tab"
              aria-selected={filter.view === view}
              onClick={() => onChange({ view, state: [] })}
              className={cx(
                "h-7 rounded-md px-2.5 text-12 font-medium transition-colors",
                filter.view === view ? "bg-surface-3 text-content-1" : "text-content-2 hover:bg-surface-2",
              )}
            >
              {VIEW_LABEL[view]}
              {(counts[view] ?? 0) > 0 && (
                <span className="ml-1.5 font-normal text-content-3">{formatCount(counts[view] ?? 0)}</span>
              )}
            </button>
          ))}
        </div>
      )}
      <div className="ml-auto flex min-w-0 items-center gap-2 narrow:flex-1">
        <TextFilter text={filter.q} onChange={(q) => onChange({ q })} />
        <FilterMenu filter={filter} onChange={onChange} />
        <SavedViewsMenu filter={filter} />
      </div>
      <ActiveFilters filter={filter} onChange={onChange} />
    </div>
  );
}

function TextFilter({ text, onChange }: { text: string; onChange: (text: string) => void }) {
  const [typed, setTyped] = useState(text);
  const box = useRef<HTMLInputElement>(null);
  // Live data re-renders the bar while a person types; the pause must be theirs alone.
  const latest = useRef(onChange);
  latest.current = onChange;
  useEffect(() => setTyped(text), [text]);
  useEffect(() => {
    if (typed === text) return;
    const timer = setTimeout(() => latest.current(typed), TYPING_MS);
    return () => clearTimeout(timer);
  }, [typed, text]);
  const commands = useMemo<Command[]>(
    () => [
      {
        id: "jobs-search",
        title: "Filter jobs",
        keys: "/",
        group: "This view",
        run: () => box.current?.focus(),
      },
    ],
    [],
  );
  useCommands(commands);
  return (
    <div className="relative min-w-0 wide:w-56 narrow:flex-1">
      <Search aria-hidden className="pointer-events-none absolute top-2 left-2.5 size-4 text-content-3" />
      <Input
        ref={box}
        value={typed}
        onChange={(event) => setTyped(event.target.value)}
        onKeyDown={(event) => event.key === "Escape" && event.currentTarget.blur()}
        placeholder="Id, name or command"
        aria-label="Filter jobs"
        className="h-8! pl-8"
      />
    </div>
  );
}

function FilterMenu({ filter, onChange }: JobFilterBarProps) {
  return (
    <Menu
      trigger={
        <Button aria-label="Filters">
          <ListFilter />
          <span className="narrow:hidden">Filter</span>
          {filtersSet(filter) > 0 && <span className="text-accent">{filtersSet(filter)}</span>}
        </Button>
      }
    >
      <FilterItems filter={filter} onChange={onChange} />
    </Menu>
  );
}

function FilterItems({ filter, onChange }: JobFilterBarProps) {
  const { fleet } = useLive();
  const members = useApiQuery("members.list", undefined, { staleMs: 60_000 });
  const queues = useApiQuery("queues.list", undefined, { staleMs: 60_000 });
  return (
    <>
      <Heading>State</Heading>
      {JOB_STATES.map((state) => (
        <MenuCheck
          key={state}
          checked={filter.state.includes(state)}
          onChange={(on) =>
            onChange({ state: on ? [...filter.state, state] : filter.state.filter((one) => one !== state) })
          }
        >
          {JOB_STATUS[state].label}
        </MenuCheck>
      ))}
      <MenuSeparator />
      <Heading>User</Heading>
      {(members.data ?? []).map((member) => (
        <MenuCheck
          key={member.userId}
          checked={filter.user === member.userId}
          onChange={(on) => onChange({ user: on ? member.userId : "" })}
        >
          {member.name}
        </MenuCheck>
      ))}
      <MenuSeparator />
      <Heading>Target</Heading>
      {(fleet?.targets ?? []).map((target) => (
        <MenuCheck
          key={target.id}
          checked={filter.target === target.name}
          onChange={(on) => onChange({ target: on ? target.name : "" })}
        >
          {target.name}
        </MenuCheck>
      ))}
      {(queues.data?.length ?? 0) > 1 && (
        <>
          <MenuSeparator />
          <Heading>Queue</Heading>
          {queues.data?.map((queue) => (
            <MenuCheck
              key={queue.name}
              checked={filter.queue === queue.name}
              onChange={(on) => onChange({ queue: on ? queue.name : "" })}
            >
              {queue.name}
            </MenuCheck>
          ))}
        </>
      )}
    </>
  );
}

function Heading({ children }: { children: string }) {
  return <p className="px-2 pt-1.5 pb-0.5 text-11 font-medium text-content-3">{children}</p>;
}

function ActiveFilters({ filter, onChange }: JobFilterBarProps) {
  const members = useApiQuery("members.list", undefined, { staleMs: 60_000, enabled: filter.user !== "" });
  const userName = members.data?.find(({ userId }) => userId === filter.user)?.name ?? filter.user;
  const chips: [label: string, clear: Partial<JobFilter>][] = [
    ...filter.state.map((state): [string, Partial<JobFilter>] => [
      JOB_STATUS[state].label,
      { state: filter.state.filter((one) => one !== state) },
    ]),
    ...(filter.user ? [[`user ${userName}`, { user: "" }] as [string, Partial<JobFilter>]] : []),
    ...(filter.target ? [[`target ${filter.target}`, { target: "" }] as [string, Partial<JobFilter>]] : []),
    ...(filter.queue ? [[`queue ${filter.queue}`, { queue: "" }] as [string, Partial<JobFilter>]] : []),
  ];
  if (chips.length === 0) return null;
  return (
    <div className="flex basis-full flex-wrap gap-1.5">
      {chips.map(([label, clear]) => (
        <button
          key={label}
          type="button"
          aria-label={`Remove the filter ${label}`}
          onClick={() => onChange(clear)}
          className="inline-flex h-6 items-center gap-1 rounded-md bg-accent-soft px-2 text-12 text-accent hover:underline"
        >
          {label}
          <X aria-hidden className="size-3" />
        </button>
      ))}
    </div>
  );
}

function SavedViewsMenu({ filter }: { filter: JobFilter }) {
  const router = useRouter();
  const { views, save, remove } = useSavedViews();
  const name = nameOf(filter);
  return (
    <Menu
      trigger={
        <IconButton label="Saved views" variant="secondary" className="narrow:hidden">
          <BookmarkPlus />
        </IconButton>
      }
    >
      <MenuItem
        icon={<BookmarkPlus />}
        disabledReason={name === "" ? "Choose a filter first; it is saved as it stands." : null}
        onSelect={() => save({ name, search: window.location.search })}
      >
        Save this view
      </MenuItem>
      {views.length > 0 && <MenuSeparator />}
      {views.map((view) => (
        <div key={view.name} className="flex items-center">
          <div className="min-w-0 flex-1">
            <MenuItem onSelect={() => router.push(`/jobs${view.search}` as "/jobs")}>
              <span className="truncate">{view.name}</span>
            </MenuItem>
          </div>
          <IconButton label={`Forget ${view.name}`} size="small" onClick={() => remove(view.name)}>
            <Trash2 />
          </IconButton>
        </div>
      ))}
    </Menu>
  );
}

/** A view is named by what it shows. */
function nameOf(filter: JobFilter): string {
  const parts = [
    filter.view === "all" ? "" : VIEW_LABEL[filter.view],
    filter.state.map((state) => JOB_STATUS[state].label).join(" or "),
    filter.target && `on ${filter.target}`,
    filter.queue && `in ${filter.queue}`,
    filter.q && `“${filter.q}”`,
  ];
  return parts.filter(Boolean).join(" ").slice(0, 40);
}
