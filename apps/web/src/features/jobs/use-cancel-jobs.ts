"use client";
import type { Job } from "@nexus/shared/api/schemas";
import { jobCan } from "@nexus/shared/machines/job";
import { plural } from "../../ui/format.ts";
import { toast } from "../../ui/toaster.tsx";
import { useApiMutation } from "../api/api-context.tsx";
import { useMe, useRoleReason } from "../api/me.ts";
import { problemOf } from "../api/problem.ts";

/** Why this job cannot be cancelled by this person now; null when it can. */
export function useCancelReason(job: Job): string | null {
  const { data: me } = useMe();
  const memberReason = useRoleReason("member");
  const adminReason = useRoleReason("admin");
  const can = jobCan.cancel(job.state);
  if (can !== true) return `It cannot be cancelled: ${can}.`;
  if (memberReason) return memberReason;
  if (me && job.user.id !== me.user.id && adminReason) return "Only admins end the jobs of others.";
  return job.cancelRequested ? "It was told to end already." : null;
}

/** Asks for the end of jobs and says what came of it. */
export function useCancelJobs() {
  return useApiMutation("jobs.cancel", ({ results }) => {
    const refused = results.filter(({ ok }) => !ok);
    const done = results.length - refused.length;
    if (done > 0) toast.success(`${plural(done, "job")} told to end`);
    const [first, ...others] = refused;
    if (!first) return;
    toast.error(`${first.job}: ${first.message}`, {
      description: others.length > 0 ? `and ${plural(others.length, "other job")}` : undefined,
    });
  });
}

/** Says what went wrong. @returns true: there is nothing more to say in a dialog. */
export function toastProblem(error: unknown): true {
  const problem = problemOf(error);
  toast.error(problem.title, { description: `${problem.next} (${problem.code})` });
  return true;
}
