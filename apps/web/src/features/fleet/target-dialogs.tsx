"use client";
import { labelsSchema, nameSchema, type Target } from "@nexus/shared/api/schemas";
import { type FormEvent, useId, useState } from "react";
import { Button } from "../../ui/button.tsx";
import { Checkbox } from "../../ui/checkbox.tsx";
import { ConfirmDialog } from "../../ui/confirm-dialog.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { Field, Input } from "../../ui/field.tsx";
import { plural } from "../../ui/format.ts";
import { formatLabels, parseLabels } from "../../ui/labels-text.ts";
import { toast } from "../../ui/toaster.tsx";
import { InlineProblem } from "../../ui/view-state.tsx";
import { settled, useApiMutation } from "../api/api-context.tsx";
import { problemOf } from "../api/problem.ts";

type TargetDialogProps = { target: Target; onClose: () => void };

export function RenameDialog({ target, onClose }: TargetDialogProps) {
  const [name, setName] = useState(target.name);
  const rename = useApiMutation("targets.rename", onClose);
  const form = useId();
  const checked = nameSchema.safeParse(name);
  function submit(event: FormEvent): void {
    event.preventDefault();
    if (checked.success) rename.mutate({ target: target.id, name });
  }
  return (
    <Dialog
      open
      onOpenChange={onClose}
      title={`Rename ${target.name}`}
      description="Jobs that name it find it by its new name only. Its id stays."
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button
            variant="primary"
            type="submit"
            form={form}
            busy={rename.isPending}
            disabledReason={
              name === target.name
                ? "The name is the same."
                : checked.success
                  ? null
                  : "The name is not valid."
            }
          >
            Rename
          </Button>
        </>
      }
    >
      <form id={form} onSubmit={submit} className="flex flex-col gap-3">
        <Field
          label="Name"
          hint="1 to 63 of a–z 0–9 . _ -"
          error={checked.success ? null : "Not a valid name."}
        >
          {(control) => (
            <Input {...control} value={name} autoFocus onChange={(event) => setName(event.target.value)} />
          )}
        </Field>
        {rename.error && <InlineProblem problem={problemOf(rename.error)} />}
      </form>
    </Dialog>
  );
}

export function LabelsDialog({ target, onClose }: TargetDialogProps) {
  const [text, setText] = useState(formatLabels(target.labels));
  const label = useApiMutation("targets.label", onClose);
  const form = useId();
  const checked = labelsSchema.safeParse(parseLabels(text));
  function submit(event: FormEvent): void {
    event.preventDefault();
    if (checked.success) label.mutate({ target: target.id, labels: checked.data });
  }
  return (
    <Dialog
      open
      onOpenChange={onClose}
      title={`Labels of ${target.name}`}
      description="Jobs that ask for labels run only where all of them match."
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button
            variant="primary"
            type="submit"
            form={form}
            busy={label.isPending}
            disabledReason={checked.success ? null : "A label is not valid."}
          >
            Save labels
          </Button>
        </>
      }
    >
      <form id={form} onSubmit={submit} className="flex flex-col gap-3">
        <Field
          label="Labels"
          hint="Separated by spaces: role=inference rack=b2 fast"
          error={checked.success ? null : "Letters, digits and . _ / - only."}
        >
          {(control) => (
            <Input
              {...control}
              value={text}
              autoFocus
              spellCheck={false}
              className="font-mono text-12"
              onChange={(event) => setText(event.target.value)}
            />
          )}
        </Field>
        {label.error && <InlineProblem problem={problemOf(label.error)} />}
      </form>
    </Dialog>
  );
}

export function RemoveTargetDialog({ target, onClose }: TargetDialogProps) {
  const [force, setForce] = useState(false);
  const remove = useApiMutation("targets.remove");
  return (
    <ConfirmDialog
      open
      onOpenChange={onClose}
      title={`Remove ${target.name} from the fleet?`}
      description="Its key is worth nothing from then on. To bring it back it must be enrolled again. Its past jobs and their logs are kept."
      action={`Remove ${target.name}`}
      disabledReason={
        target.jobsActive > 0 && !force
          ? "It runs jobs: tick the box to give them up, or drain it first."
          : null
      }
      onConfirm={async () => {
        const done = await settled(remove.mutateAsync({ target: target.id, force }));
        if (done) toast.success(`${target.name} was removed`);
        return done;
      }}
    >
      <div className="flex flex-col gap-3">
        {target.jobsActive > 0 && (
          // biome-ignore lint/a11y/noLabelWithoutControl: the checkbox inside is the control.
          <label className="flex items-start gap-2">
            <Checkbox checked={force} onCheckedChange={(on) => setForce(on === true)} className="mt-0.5" />
            <span>
              Also give up {plural(target.jobsActive, "job")} that it runs now. The processes may go on there
              unseen.
            </span>
          </label>
        )}
        {remove.error && <InlineProblem problem={problemOf(remove.error)} />}
      </div>
    </ConfirmDialog>
  );
}
