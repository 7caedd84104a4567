"use client";
import { useQueryClient } from "@tanstack/react-query";
import { useCallback } from "react";
import { toast } from "sonner";
import { useApi } from "./api-context.tsx";
import { problemOf } from "./problem.ts";

export function useSignOut(): () => void {
  const api = useApi();
  const cache = useQueryClient();
  return useCallback(() => {
    api.auth.signOut().then(
      () => {
        cache.clear();
        // A whole new page: nothing of the old session stays in memory.
        window.location.assign("/sign-in");
      },
      (error: unknown) => toast.error("Could not sign out", { description: problemOf(error).title }),
    );
  }, [api, cache]);
}
