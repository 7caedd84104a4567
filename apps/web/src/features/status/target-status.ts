import type { Target } from "@nexus/shared/api/schemas";
import type { TargetState } from "@nexus/shared/machines/target";
import { CircleArrowUp, CirclePause, LoaderCircle, PlugZap, PowerOff, ShieldX, Unplug } from "lucide-react";
import type { StatusLook } from "../../ui/status.tsx";

/** How each connection state of a target looks and reads, everywhere. */
export const TARGET_STATUS: Record<TargetState, StatusLook> = {
  connecting: {
    label: "Connecting",
    icon: LoaderCircle,
    hue: "active",
    sentence: "Its agent dialled in; the handshake goes on.",
    turns: true,
  },
  connected: {
    label: "Connected",
    icon: PlugZap,
    hue: "good",
    sentence: "Its agent is connected and takes jobs.",
  },
  unreachable: {
    label: "Unreachable",
    icon: Unplug,
    hue: "odd",
    sentence: "Its agent has been silent for a moment. Jobs on it may well go on.",
  },
  offline: {
    label: "Offline",
    icon: PowerOff,
    hue: "idle",
    sentence: "Its agent has been silent for long. Start it on the machine to bring it back.",
  },
  revoked: {
    label: "Removed",
    icon: ShieldX,
    hue: "bad",
    sentence: "It was removed from the fleet, and its key is worth nothing.",
  },
  needs_update: {
    label: "Needs update",
    icon: CircleArrowUp,
    hue: "wait",
    sentence: "Its agent speaks no protocol version of this control plane. Update the agent.",
  },
};

/** Facts beside the state, in the words of a status. */
export function targetExtra(target: Pick<Target, "cordoned" | "draining">): StatusLook | null {
  if (target.draining) {
    return {
      label: "Draining",
      icon: CirclePause,
      hue: "wait",
      sentence: "It takes no new jobs, and is out of use once its jobs have ended.",
    };
  }
  if (target.cordoned) {
    return {
      label: "Cordoned",
      icon: CirclePause,
      hue: "wait",
      sentence: "It takes no new jobs until it is released.",
    };
  }
  return null;
}

export function isLive(target: Pick<Target, "state">): boolean {
  return target.state === "connected";
}
