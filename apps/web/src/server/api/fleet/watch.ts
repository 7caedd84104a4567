import { isActive } from "@nexus/shared/machines/job";
import { openChangeFeed } from "../change-feed.ts";
import { procedure } from "../trpc.ts";

/** A change of jobs alone changes the counts; it goes through the same feed under this name, which no target can have. */
const JOBS = "";

export const watchFleet = procedure("fleet.watch", async function* ({ ctx, principal, signal }) {
  const { services, clock } = ctx;
  const { teamId } = principal;
  const feed = openChangeFeed({
    signal,
    bufferedBytes: ctx.bufferedBytes,
    listen: (note) => {
      const unlisten = [
        services.events.on("target", (event) => {
          if (event.teamId === teamId) note(event.target);
        }),
        services.events.on("job", (event) => {
          if (event.teamId === teamId) note(JOBS);
        }),
      ];
      return () => {
        for (const stop of unlisten) stop();
      };
    },
  });
  const counts = () => {
    const byState = Object.entries(services.jobCounts(teamId));
    const sum = (matches: (state: string) => boolean) =>
      byState.reduce((total, [state, count]) => total + (matches(state) ? count : 0), 0);
    return { queued: sum((state) => state === "queued"), running: sum(isActiveState) };
  };
  try {
    const targets = services.fleet.list(teamId);
    yield { snapshot: true, targets, removed: [], ...counts(), nowMs: clock.nowMs() };
    for await (const ids of feed) {
      const changed = ids
        .filter((id) => id !== JOBS)
        .map((id) => ({ id, now: services.fleet.find(teamId, id) }));
      yield {
        snapshot: false,
        targets: changed.flatMap(({ now }) => (now ? [now] : [])),
        removed: changed.flatMap(({ id, now }) => (now ? [] : [id])),
        ...counts(),
        nowMs: clock.nowMs(),
      };
    }
  } finally {
    feed.close();
  }
});

function isActiveState(state: string): boolean {
  return isActive(state as Parameters<typeof isActive>[0]);
}
