"use client";
import { speakInputWords } from "@nexus/shared/api/input-words";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { NuqsAdapter } from "nuqs/adapters/next/app";
import { type ReactNode, Suspense, useEffect, useState } from "react";
import { type Api, createApi } from "../features/api/api.ts";
import { ApiContext } from "../features/api/api-context.tsx";
import { isSignedOut } from "../features/api/problem.ts";

const RETRIES_MAX = 2;

speakInputWords();

/** What the views need around them. Nothing is fetched or opened on the server, where there is no reader. */
export function Providers({ children, makeApi }: { children: ReactNode; makeApi?: () => Api }) {
  const [cache] = useState(
    () =>
      new QueryClient({
        defaultOptions: {
          queries: {
            retry: (failures, error) => failures < RETRIES_MAX && !isSignedOut(error),
            refetchOnWindowFocus: true,
          },
        },
      }),
  );
  const [api, setApi] = useState<Api | null>(null);
  useEffect(() => {
    const made = makeApi ? makeApi() : createApi(window.location.origin);
    setApi(made);
    return () => made.close();
  }, [makeApi]);

  return (
    <NuqsAdapter>
      <QueryClientProvider client={cache}>
        {api && (
          <ApiContext value={api}>
            <Suspense>{children}</Suspense>
          </ApiContext>
        )}
      </QueryClientProvider>
    </NuqsAdapter>
  );
}
