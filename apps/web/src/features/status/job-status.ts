import type { JobState } from "@nexus/shared/machines/job";
import {
  Ban,
  CircleCheck,
  CircleDashed,
  CircleDot,
  CirclePlay,
  CircleX,
  FileQuestionMark,
  LoaderCircle,
  TimerOff,
  Unplug,
} from "lucide-react";
import type { StatusLook } from "../../ui/status.tsx";

/** How each state of a job looks and reads, everywhere. */
export const JOB_STATUS: Record<JobState, StatusLook> = {
  queued: { label: "Queued", icon: CircleDashed, hue: "wait", sentence: "It waits in its queue." },
  assigned: {
    label: "Assigned",
    icon: CircleDot,
    hue: "active",
    sentence: "Its target and GPUs are chosen and kept for it.",
  },
  starting: {
    label: "Starting",
    icon: LoaderCircle,
    hue: "active",
    sentence: "Its target was told to start it.",
    turns: true,
  },
  running: { label: "Running", icon: CirclePlay, hue: "active", sentence: "Its process runs on the target." },
  unreachable: {
    label: "Unreachable",
    icon: Unplug,
    hue: "odd",
    sentence: "Its node is silent. The job may well go on; it returns with the node.",
  },
  succeeded: { label: "Succeeded", icon: CircleCheck, hue: "good", sentence: "It ended with exit code 0." },
  failed: {
    label: "Failed",
    icon: CircleX,
    hue: "bad",
    sentence: "It ended with another exit code, by a signal, or could not start.",
  },
  cancelled: { label: "Cancelled", icon: Ban, hue: "idle", sentence: "A person ended it." },
  timed_out: {
    label: "Timed out",
    icon: TimerOff,
    hue: "bad",
    sentence: "It ran longer than its time limit and was ended.",
  },
  lost: {
    label: "Lost",
    icon: FileQuestionMark,
    hue: "odd",
    sentence: "Its node did not come back, and its lease was given up.",
  },
};
