"use client";
import { Command as Cmdk } from "cmdk";
import { Search } from "lucide-react";
import { cx } from "../cx.ts";
import { Keys } from "../keys.tsx";
import { type Command, useAllCommands } from "./commands.ts";

const GROUPS: Command["group"][] = ["This view", "Do", "Go to", "Jobs", "Targets"];

type PaletteProps = { open: boolean; onOpenChange: (open: boolean) => void };

/** Everything that can be done here, by name. */
export function Palette({ open, onOpenChange }: PaletteProps) {
  const commands = useAllCommands().filter((command) => !command.keysOnly);
  return (
    <Cmdk.Dialog
      open={open}
      onOpenChange={onOpenChange}
      label="Commands"
      loop
      filter={score}
      overlayClassName="fixed inset-0 z-40 bg-scrim animate-fade"
      contentClassName={cx(
        "fixed z-40 overflow-hidden bg-overlay shadow-overlay outline-none",
        "wide:left-1/2 wide:top-[14dvh] wide:w-full wide:max-w-xl wide:-translate-x-1/2 wide:animate-fade wide:rounded-xl",
        "narrow:inset-x-2 narrow:top-2 narrow:animate-fade narrow:rounded-xl",
      )}
    >
      <div className="flex items-center gap-2.5 border-b px-4">
        <Search aria-hidden className="size-4 shrink-0 text-content-3" />
        <Cmdk.Input
          placeholder="Go to, do, find a job or a target"
          className="h-12 w-full bg-transparent text-14 outline-none placeholder:text-content-3 narrow:text-16"
        />
        <Keys keys="escape" className="narrow:hidden" />
      </div>
      <Cmdk.List className="max-h-[min(420px,56dvh)] overflow-y-auto overscroll-contain p-1.5">
        <Cmdk.Empty className="px-3 py-8 text-center text-content-3">Nothing by that name.</Cmdk.Empty>
        {GROUPS.map((group) => (
          <PaletteGroup
            key={group}
            heading={group}
            commands={commands.filter((command) => command.group === group)}
            onDone={() => onOpenChange(false)}
          />
        ))}
      </Cmdk.List>
    </Cmdk.Dialog>
  );
}

/**
 * Every word must occur; a title that begins with what was typed comes first. (Matching letters anywhere, as the library
 * does by default, finds "Switch to the light theme" for "sweep".)
 */
function score(value: string, typed: string): number {
  const text = value.toLowerCase();
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.every((word) => text.includes(word))) return 0;
  const [first = ""] = words;
  if (text.startsWith(first)) return 1;
  return text.includes(` ${first}`) ? 0.8 : 0.5;
}

type GroupProps = { heading: string; commands: Command[]; onDone: () => void };

function PaletteGroup({ heading, commands, onDone }: GroupProps) {
  if (commands.length === 0) return null;
  return (
    <Cmdk.Group
      heading={heading}
      className="[&_[cmdk-group-heading]]:px-2.5 [&_[cmdk-group-heading]]:pt-2 [&_[cmdk-group-heading]]:pb-1 [&_[cmdk-group-heading]]:text-11 [&_[cmdk-group-heading]]:font-medium [&_[cmdk-group-heading]]:text-content-3"
    >
      {commands.map(({ icon: Icon, ...command }) => (
        <Cmdk.Item
          key={command.id}
          value={`${command.title} ${command.words ?? ""} ${command.id}`}
          disabled={Boolean(command.disabledReason)}
          onSelect={() => {
            onDone();
            command.run();
          }}
          className="flex h-9 items-center gap-2.5 rounded-md px-2.5 text-13 data-[disabled=true]:text-content-3 data-[selected=true]:bg-surface-3"
        >
          {Icon && <Icon aria-hidden className="size-4 shrink-0 text-content-3" strokeWidth={1.75} />}
          <span className="truncate">{command.title}</span>
          <span className="ml-auto truncate pl-4 text-12 text-content-3">
            {command.disabledReason ?? command.note}
          </span>
          {command.keys && <Keys keys={command.keys} className="narrow:hidden" />}
        </Cmdk.Item>
      ))}
    </Cmdk.Group>
  );
}
