import type { HostFacts } from "@nexus/shared/protocol/messages";

type Place = NonNullable<HostFacts["place"]>;

/**
 * Whether a node that comes back is the machine that was here before it, and no copy of its disk or of its agent's folder. Only
 * that machine can have the starts that were sent and not answered; where it is not sure, it is not the same.
 */
export function isSamePlace(
  before: Pick<HostFacts, "bootId" | "place"> | null,
  now: Pick<HostFacts, "bootId" | "place">,
): boolean {
  if (before === null) return true;
  const isSameBoot = before.bootId === now.bootId;
  if (!before.place || !now.place) return isSameBoot;
  return before.place.home === now.place.home && (isSameBoot || isSameMachine(before.place, now.place));
}

/** Cards come and go, and some are not there yet when the agent looks: one that stayed is enough. */
function isSameMachine(before: Place, now: Place): boolean {
  if (before.machine !== now.machine) return false;
  const [were, are] = [before.cards ?? [], now.cards ?? []];
  return (were.length === 0 && are.length === 0) || are.some((card) => were.includes(card));
}
