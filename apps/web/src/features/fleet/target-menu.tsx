"use client";
import type { Target } from "@nexus/shared/api/schemas";
import { CirclePause, CirclePlay, Ellipsis, Hash, Hourglass, Pencil, Tags, Trash2 } from "lucide-react";
import { useState } from "react";
import { IconButton } from "../../ui/button.tsx";
import { copyText } from "../../ui/copy-text.ts";
import { Menu, MenuItem, MenuSeparator } from "../../ui/menu.tsx";
import { toast } from "../../ui/toaster.tsx";
import { useApiMutation } from "../api/api-context.tsx";
import { useRoleReason } from "../api/me.ts";
import { problemOf } from "../api/problem.ts";
import { LabelsDialog, RemoveTargetDialog, RenameDialog } from "./target-dialogs.tsx";

export function TargetMenu({ target }: { target: Target }) {
  const [dialog, setDialog] = useState<"rename" | "labels" | "remove" | null>(null);
  const reason = useRoleReason("admin");
  const cordon = useApiMutation("targets.cordon");
  const close = () => setDialog(null);

  function setCordon(cordoned: boolean, drain: boolean): void {
    cordon.mutate(
      { target: target.id, cordoned, drain },
      {
        onError: (error) =>
          toast.error(`Could not change ${target.name}`, { description: problemOf(error).title }),
      },
    );
  }

  return (
    <>
      <Menu
        trigger={
          <IconButton label={`Actions for ${target.name}`} size="small">
            <Ellipsis />
          </IconButton>
        }
      >
        {target.cordoned || target.draining ? (
          <MenuItem icon={<CirclePlay />} disabledReason={reason} onSelect={() => setCordon(false, false)}>
            Release: take jobs again
          </MenuItem>
        ) : (
          <>
            <MenuItem icon={<CirclePause />} disabledReason={reason} onSelect={() => setCordon(true, false)}>
              Cordon: take no new jobs
            </MenuItem>
            <MenuItem icon={<Hourglass />} disabledReason={reason} onSelect={() => setCordon(true, true)}>
              Drain: until its jobs have ended
            </MenuItem>
          </>
        )}
        <MenuSeparator />
        <MenuItem icon={<Pencil />} disabledReason={reason} onSelect={() => setDialog("rename")}>
          Rename
        </MenuItem>
        <MenuItem icon={<Tags />} disabledReason={reason} onSelect={() => setDialog("labels")}>
          Labels
        </MenuItem>
        <MenuItem icon={<Hash />} onSelect={() => void copyText(target.id)}>
          Copy id
        </MenuItem>
        <MenuSeparator />
        <MenuItem icon={<Trash2 />} danger disabledReason={reason} onSelect={() => setDialog("remove")}>
          Remove from the fleet
        </MenuItem>
      </Menu>
      {dialog === "rename" && <RenameDialog target={target} onClose={close} />}
      {dialog === "labels" && <LabelsDialog target={target} onClose={close} />}
      {dialog === "remove" && <RemoveTargetDialog target={target} onClose={close} />}
    </>
  );
}
