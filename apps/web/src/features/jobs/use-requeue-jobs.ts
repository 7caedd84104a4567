"use client";
import type { Job } from "@nexus/shared/api/schemas";
import { jobCan } from "@nexus/shared/machines/job";
import { toast } from "../../ui/toaster.tsx";
import { useApiMutation } from "../api/api-context.tsx";
import { useMe, useRoleReason } from "../api/me.ts";

/** Why this job cannot be put back in the line by this person now; null when it can. */
export function useRequeueReason(job: Job): string | null {
  const { data: me } = useMe();
  const memberReason = useRoleReason("member");
  const adminReason = useRoleReason("admin");
  const can = jobCan.requeue(job.state);
  if (can !== true) return `It cannot be queued again: ${can}.`;
  if (memberReason) return memberReason;
  if (me && job.user.id !== me.user.id && adminReason) return "Only admins queue the jobs of others again.";
  return job.cancelRequested && job.endedAtMs === null ? "It was told to end already." : null;
}

/** Puts jobs back in the line and says what came of it. */
export function useRequeueJobs() {
  return useApiMutation("jobs.requeue", ({ results }) => {
    const [refused] = results.filter(({ ok }) => !ok);
    if (refused) toast.error(`${refused.job}: ${refused.message}`);
    else toast.success("Back in the line");
  });
}
