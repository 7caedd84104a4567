import { isFinal } from "@nexus/shared/machines/job";
import { openChangeFeed } from "../change-feed.ts";
import { procedure } from "../trpc.ts";

export const followJob = procedure("jobs.follow", async function* ({ ctx, principal, input, signal }) {
  const { services } = ctx;
  // A prefix of an id names a job too; events carry the whole id.
  const { id } = await services.getJob(principal, input.job);
  const feed = openChangeFeed({
    signal,
    bufferedBytes: ctx.bufferedBytes,
    listen: (note) => {
      const unlisten = [
        services.events.on("job", (event) => {
          if (event.teamId === principal.teamId && event.jobs.includes(id)) note(id);
        }),
        services.events.on("log", (event) => {
          if (event.teamId === principal.teamId && event.job === id) note(id);
        }),
      ];
      return () => {
        for (const stop of unlisten) stop();
      };
    },
  });
  const look = async () => {
    const job = await services.getJob(principal, id);
    return { job, ...(await services.logState(principal, id)) };
  };
  const isOver = ({ job, logEnded }: Awaited<ReturnType<typeof look>>) => isFinal(job.state) && logEnded;
  try {
    let seen = await look();
    yield seen;
    if (isOver(seen)) return;
    for await (const _changed of feed) {
      seen = await look();
      yield seen;
      if (isOver(seen)) return;
    }
  } finally {
    feed.close();
  }
});
