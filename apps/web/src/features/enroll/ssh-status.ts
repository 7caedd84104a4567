import type { SshLine, SshRunHost } from "@nexus/shared/api/ssh";
import {
  Ban,
  CircleAlert,
  CircleCheck,
  CircleDashed,
  CircleHelp,
  CircleX,
  LoaderCircle,
  type LucideIcon,
  Minus,
  MoveRight,
  TriangleAlert,
} from "lucide-react";
import type { Hue } from "../../ui/hue.ts";
import type { StatusLook } from "../../ui/status.tsx";

export const MACHINE_STATUS: Record<SshRunHost["state"], StatusLook> = {
  waiting: { label: "Waiting", icon: CircleDashed, hue: "idle", sentence: "Others are worked on first." },
  working: {
    label: "Working",
    icon: LoaderCircle,
    hue: "active",
    sentence: "It is being set up.",
    turns: true,
  },
  asking: { label: "Asks you", icon: CircleHelp, hue: "wait", sentence: "Somebody must confirm its key." },
  done: { label: "Connected", icon: CircleCheck, hue: "good", sentence: "It is a target now." },
  failed: {
    label: "Failed",
    icon: CircleX,
    hue: "bad",
    sentence: "What stands in the way is in its transcript.",
  },
  cancelled: { label: "Cancelled", icon: Ban, hue: "idle", sentence: "A person broke it off." },
};

export const LINE_MARK: Record<SshLine["level"], { icon: LucideIcon | null; hue: Hue }> = {
  info: { icon: null, hue: "idle" },
  done: { icon: CircleCheck, hue: "good" },
  skip: { icon: Minus, hue: "idle" },
  warn: { icon: TriangleAlert, hue: "wait" },
  fix: { icon: MoveRight, hue: "active" },
  error: { icon: CircleAlert, hue: "bad" },
};
