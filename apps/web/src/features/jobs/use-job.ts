"use client";
import type { OutputOf } from "@nexus/shared/api/contract";
import { useEffect, useState } from "react";
import { useApi } from "../api/api-context.tsx";

export type FollowedJob = OutputOf<"jobs.follow">;

/** One job, live until it has ended and its log is whole. */
export function useJob(id: string): { followed: FollowedJob | null; error: unknown } {
  const api = useApi();
  const [followed, setFollowed] = useState<FollowedJob | null>(null);
  const [error, setError] = useState<unknown>(null);
  useEffect(() => {
    setFollowed(null);
    setError(null);
    return api.subscribe(
      "jobs.follow",
      { job: id },
      {
        data: (message) => {
          setError(null);
          setFollowed(message);
        },
        refused: setError,
      },
    );
  }, [api, id]);
  return { followed, error };
}
