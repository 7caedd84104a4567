"use client";
import { Dialog } from "../dialog.tsx";
import { Keys } from "../keys.tsx";
import { type Command, useAllCommands } from "./commands.ts";

/** What `?` opens: the shortcuts that work on this page. */
export function ShortcutSheet({
  open,
  onOpenChange,
}: {
  open: boolean;
  onOpenChange: (open: boolean) => void;
}) {
  const commands = useAllCommands().filter((command) => command.keys);
  const groups = Map.groupBy(commands, (command) => command.group);
  return (
    <Dialog open={open} onOpenChange={onOpenChange} title="Keyboard shortcuts" wide>
      <div className="columns-2 gap-10 narrow:columns-1">
        {Array.from(groups, ([group, list]) => (
          <ShortcutGroup key={group} title={group} commands={list} />
        ))}
      </div>
    </Dialog>
  );
}

function ShortcutGroup({ title, commands }: { title: string; commands: Command[] }) {
  return (
    <section className="mb-4 break-inside-avoid">
      <h3 className="mb-1 text-12 font-medium text-content-3">{title}</h3>
      <ul>
        {commands.map((command) => (
          <li key={command.id} className="flex h-8 items-center justify-between gap-4 border-b last:border-0">
            <span className="truncate">{command.title}</span>
            <Keys keys={command.keys ?? ""} />
          </li>
        ))}
      </ul>
    </section>
  );
}
