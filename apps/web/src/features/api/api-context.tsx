"use client";
import type { InputOf, OutputOf } from "@nexus/shared/api/contract";
import {
  keepPreviousData,
  type QueryKey,
  type UseMutationResult,
  type UseQueryResult,
  useMutation,
  useQuery,
} from "@tanstack/react-query";
import { createContext, use, useSyncExternalStore } from "react";
import type { Api, MutationName, QueryName } from "./api.ts";
import type { Connection } from "./live-socket.ts";

export const ApiContext = createContext<Api | null>(null);

export function useApi(): Api {
  const api = use(ApiContext);
  if (!api) throw new Error("a view was rendered outside of ApiContext");
  return api;
}

export function queryKey<P extends QueryName>(name: P, input?: InputOf<P>): QueryKey {
  return input === undefined ? [name] : [name, input];
}

type QuerySettings = { enabled?: boolean; staleMs?: number; refetchMs?: number; keepPrevious?: boolean };

export function useApiQuery<P extends QueryName>(
  name: P,
  input: InputOf<P>,
  settings: QuerySettings = {},
): UseQueryResult<OutputOf<P>> {
  const api = useApi();
  return useQuery<OutputOf<P>>({
    queryKey: queryKey(name, input),
    queryFn: ({ signal }) => api.query(name, input, signal),
    enabled: settings.enabled ?? true,
    staleTime: settings.staleMs ?? 0,
    refetchInterval: settings.refetchMs || false,
    ...(settings.keepPrevious ? { placeholderData: keepPreviousData } : {}),
  });
}

export function useApiMutation<P extends MutationName>(
  name: P,
  onSuccess?: (output: OutputOf<P>, input: InputOf<P>) => unknown,
): UseMutationResult<OutputOf<P>, Error, InputOf<P>> {
  const api = useApi();
  return useMutation<OutputOf<P>, Error, InputOf<P>>({
    mutationFn: (input) => api.mutate(name, input),
    ...(onSuccess ? { onSuccess: (output, input) => onSuccess(output, input) } : {}),
  });
}

/** Whether it went well. The failure itself is in the mutation's `error`, which the view shows. */
export function settled(work: Promise<unknown>): Promise<boolean> {
  return work.then(
    () => true,
    () => false,
  );
}

export function useConnection(): Connection {
  const { connection } = useApi();
  return useSyncExternalStore(connection.subscribe, connection.state, connection.state);
}
