"use client";
import { type ReactNode, useState } from "react";
import { Button } from "./button.tsx";
import { Dialog } from "./dialog.tsx";

type ConfirmDialogProps = {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  /** Names the thing: "Remove gpu-lab-2 from the fleet?" */
  title: string;
  /** What will happen, and what cannot be undone. */
  description: ReactNode;
  /** The verb on the button: "Remove gpu-lab-2". */
  action: string;
  children?: ReactNode;
  disabledReason?: string | null;
  /** @returns whether it was done; the dialog stays open otherwise, to say why not. */
  onConfirm: () => Promise<boolean>;
};

export function ConfirmDialog(props: ConfirmDialogProps) {
  const [busy, setBusy] = useState(false);
  async function confirm(): Promise<void> {
    setBusy(true);
    try {
      if (await props.onConfirm()) props.onOpenChange(false);
    } finally {
      setBusy(false);
    }
  }
  return (
    <Dialog
      open={props.open}
      onOpenChange={props.onOpenChange}
      title={props.title}
      description={props.description}
      footer={
        <>
          <Button onClick={() => props.onOpenChange(false)}>Keep</Button>
          <Button
            variant="danger"
            busy={busy}
            disabledReason={props.disabledReason}
            onClick={() => void confirm()}
          >
            {props.action}
          </Button>
        </>
      }
    >
      {props.children}
    </Dialog>
  );
}
