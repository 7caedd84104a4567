"use client";
import type { SshRun } from "@nexus/shared/api/ssh";
import { useEffect, useState } from "react";
import { useApi } from "../api/api-context.tsx";

/** More would slow the page, and nobody reads them; the newest count. */
const LINES_MAX = 2000;

/** Work over SSH with its transcript, live until it has ended. */
export function useSshRun(id: string | null): { run: SshRun | null; error: unknown } {
  const api = useApi();
  const [run, setRun] = useState<SshRun | null>(null);
  const [error, setError] = useState<unknown>(null);
  useEffect(() => {
    setRun(null);
    setError(null);
    if (id === null) return;
    return api.subscribe(
      "ssh.watch",
      { id },
      {
        data: ({ snapshot, ...next }) => {
          setError(null);
          setRun((before) => {
            const lines = snapshot || !before ? next.lines : [...before.lines, ...next.lines];
            // After the first only machines that changed are told.
            const hosts = snapshot || !before ? next.hosts : [...before.hosts];
            for (const host of next.hosts) hosts[host.index] = host;
            return { ...next, hosts, lines: lines.slice(-LINES_MAX) };
          });
        },
        refused: setError,
      },
    );
  }, [api, id]);
  return { run, error };
}
