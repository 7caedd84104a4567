import type { Job } from "@nexus/shared/api/schemas";
import { NexusError } from "@nexus/shared/errors";
import { isFinal } from "@nexus/shared/machines/job";
import type { Api } from "../api/api.ts";

/** The job that was named, or one's own latest. */
export async function findJob(api: Api, id: string | undefined): Promise<Job> {
  if (id !== undefined) return await api.call("jobs.get", { job: id });
  const { jobs } = await api.call("jobs.list", { user: "me", limit: 1 });
  const [latest] = jobs;
  if (latest) return latest;
  throw new NexusError("not_found", { detail: "You have no job yet. Run one: nexus run -- hostname" });
}

/** One's own latest job that has not ended. */
export async function findUnfinishedJob(api: Api): Promise<Job> {
  const { jobs } = await api.call("jobs.list", { user: "me", limit: 50 });
  const latest = jobs.find(({ state }) => !isFinal(state));
  if (latest) return latest;
  throw new NexusError("not_found", { detail: "None of your latest jobs is waiting or running." });
}
