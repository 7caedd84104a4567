import { openChangeFeed } from "../change-feed.ts";
import { procedure } from "../trpc.ts";

/** More changed jobs than this go in further messages, so that one message stays small. */
const JOBS_PER_MESSAGE_MAX = 200;

export const watchJobs = procedure("jobs.watch", async function* ({ ctx, principal, signal }) {
  const { services, clock } = ctx;
  const { teamId } = principal;
  const feed = openChangeFeed({
    signal,
    bufferedBytes: ctx.bufferedBytes,
    listen: (note) =>
      services.events.on("job", (event) => {
        if (event.teamId === teamId) for (const id of event.jobs) note(id);
      }),
  });
  const message = (changed: Awaited<ReturnType<typeof services.getJobs>>) => ({
    changed,
    counts: services.jobCounts(teamId),
    nowMs: clock.nowMs(),
  });
  try {
    yield message([]);
    for await (const ids of feed) {
      for (let at = 0; at < ids.length && !signal.aborted; at += JOBS_PER_MESSAGE_MAX) {
        yield message(await services.getJobs(principal, ids.slice(at, at + JOBS_PER_MESSAGE_MAX)));
      }
    }
  } finally {
    feed.close();
  }
});
