import type { JobState } from "@nexus/shared/machines/job";
import type { QueryRunner } from "../query-runner.ts";

export type FoundAttempt = {
  publicId: string;
  targetId: number;
  fence: number;
  isEnded: boolean;
  job: string;
  jobState: JobState;
};

/** Attempts that a node names and that are open no more, or never were ours. */
export async function findAttempts(sql: QueryRunner, publicIds: string[]): Promise<FoundAttempt[]> {
  return await sql<FoundAttempt[]>`
    select a.public_id as "publicId", a.target_id::float8 as "targetId", a.fence, a.ended_at is not null as "isEnded",
      j.public_id as job, j.state as "jobState"
    from attempt a join job j on j.id = a.job_id
    where a.public_id = any(${publicIds}::text[])`;
}
