import type { SshLine, SshRun, SshRunHost, SshTransportHealth } from "@nexus/shared/api/ssh";
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
  done: { label: "Done", icon: CircleCheck, hue: "good", sentence: "What was asked for is so." },
  failed: {
    label: "Failed",
    icon: CircleX,
    hue: "bad",
    sentence: "What stands in the way is in its transcript.",
  },
  cancelled: { label: "Cancelled", icon: Ban, hue: "idle", sentence: "A person broke it off." },
};

type ActWords = { watch: string; done: string; counted: string; again: string };
const JOIN: ActWords = {
  watch: "Watch them join",
  done: "Connected",
  counted: "connected",
  again: "Enrol others",
};

/** What is done to a machine: the step, one that it was done to, several of them, and the way back to the form. */
export const ACT_WORDS: Record<SshRun["act"], ActWords> = {
  enrol: JOIN,
  agentless: JOIN,
  uninstall: {
    watch: "Watch them leave",
    done: "Given back",
    counted: "given back",
    again: "Enrol machines",
  },
  "rotate-key": {
    watch: "Watch the key change",
    done: "New key",
    counted: "with a new key",
    again: "Enrol machines",
  },
};

export const TRANSPORT_STATUS: Record<SshTransportHealth["state"], StatusLook> = {
  untried: {
    label: "Not tried yet",
    icon: CircleDashed,
    hue: "idle",
    sentence: "Since the control plane started nobody needed it.",
  },
  works: { label: "Works", icon: CircleCheck, hue: "good", sentence: "The last attempt logged in." },
  failing: { label: "Failing", icon: TriangleAlert, hue: "wait", sentence: "The last attempt led nowhere." },
  resting: {
    label: "Left out",
    icon: CircleX,
    hue: "bad",
    sentence: "It failed three times in a row, and is tried again later.",
  },
  refused: {
    label: "Refused",
    icon: Ban,
    hue: "bad",
    sentence: "The machine answered, and did not let Nexus in, or was not let be who it says it is.",
  },
};

export const LINE_MARK: Record<SshLine["level"], { icon: LucideIcon | null; hue: Hue }> = {
  info: { icon: null, hue: "idle" },
  done: { icon: CircleCheck, hue: "good" },
  skip: { icon: Minus, hue: "idle" },
  warn: { icon: TriangleAlert, hue: "wait" },
  fix: { icon: MoveRight, hue: "active" },
  error: { icon: CircleAlert, hue: "bad" },
};
