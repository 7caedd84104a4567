"use client";
import type { SshTransportHealth, SshWay } from "@nexus/shared/api/ssh";
import { useQueryClient } from "@tanstack/react-query";
import { KeyRound, Unplug } from "lucide-react";
import { useEffect } from "react";
import { Badge } from "../../ui/badge.tsx";
import { Button } from "../../ui/button.tsx";
import { plural } from "../../ui/format.ts";
import { Panel } from "../../ui/panel.tsx";
import { SkeletonRows } from "../../ui/skeleton.tsx";
import { Status } from "../../ui/status.tsx";
import { Time } from "../../ui/time.tsx";
import { toast } from "../../ui/toaster.tsx";
import { ErrorState } from "../../ui/view-state.tsx";
import { queryKey, useApiMutation, useApiQuery } from "../api/api-context.tsx";
import { useRoleReason } from "../api/me.ts";
import { problemOf } from "../api/problem.ts";
import { TRANSPORT_STATUS } from "./ssh-status.ts";

const REFETCH_MS = 10_000;

type WayListProps = { refreshWith: string; isBusy: boolean; onStarted: (run: string) => void };

/** How targets are reached over SSH, how each transport does, and whether a key is kept. */
export function WayList({ refreshWith, isBusy, onStarted }: WayListProps) {
  const ways = useApiQuery("ssh.ways", undefined, { refetchMs: REFETCH_MS });
  const cache = useQueryClient();
  // biome-ignore lint/correctness/useExhaustiveDependencies: what became of machines says when to ask again
  useEffect(() => {
    void cache.invalidateQueries({ queryKey: queryKey("ssh.ways") });
  }, [cache, refreshWith]);
  return (
    <Panel title="Reached over SSH" flush className="mt-4">
      {ways.error && !ways.data ? (
        <ErrorState problem={problemOf(ways.error)} onRetry={() => void ways.refetch()} />
      ) : !ways.data ? (
        <SkeletonRows rows={2} label="Loading ways to machines" />
      ) : ways.data.length === 0 ? (
        <p className="px-4 py-6 text-center text-content-3">
          None yet. How a machine is reached is kept here when it is enrolled over SSH.
        </p>
      ) : (
        ways.data.map((way) => <WayRow key={way.target.id} way={way} isBusy={isBusy} onStarted={onStarted} />)
      )}
    </Panel>
  );
}

type WayRowProps = { way: SshWay; isBusy: boolean; onStarted: (run: string) => void };

function WayRow({
  way: { target, way, key, transports, connections, servedOver },
  isBusy,
  onStarted,
}: WayRowProps) {
  const reason = useRoleReason("admin");
  const rotate = useApiMutation("ssh.start", ({ id }) => onStarted(id));
  return (
    <section
      aria-label={`The way to ${target.name}`}
      className="flex flex-col gap-1.5 border-b px-4 py-2.5 last:border-0"
    >
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <h3 className="font-medium">{target.name}</h3>
        {target.kind === "ssh" && (
          <Badge>
            <Unplug /> agentless
          </Badge>
        )}
        <span className="min-w-0 font-mono text-12 break-all text-content-2">{way}</span>
        {key && (
          <Button
            size="small"
            className="ml-auto"
            busy={rotate.isPending}
            disabledReason={reason ?? (isBusy ? "Other work over SSH is under way on this page." : null)}
            onClick={() =>
              rotate.mutate(
                { act: "rotate-key", targets: [target.id] },
                {
                  onError: (error) =>
                    toast.error(`The key of ${target.name} stays`, { description: problemOf(error).title }),
                },
              )
            }
          >
            Change its key
          </Button>
        )}
      </div>
      <p className="flex items-start gap-1.5 text-12 text-content-3">
        <KeyRound aria-hidden className="mt-0.5 size-3.5 shrink-0" />
        {key ? (
          <span className="min-w-0">
            Lets Nexus in by <span className="font-mono break-all">{key.fingerprint}</span>
          </span>
        ) : (
          "No key is kept: whoever reaches it brings one."
        )}
      </p>
      {transports.map((transport) => (
        <TransportLine
          key={transport.transport}
          health={transport}
          isInUse={transport.transport === servedOver}
        />
      ))}
      {connections.length > 0 && (
        <p className="text-12 text-content-3">
          {plural(connections.length, "shared connection")} open,{" "}
          {plural(
            connections.reduce((sum, { channels }) => sum + channels, 0),
            "channel",
          )}{" "}
          in use
        </p>
      )}
    </section>
  );
}

function TransportLine({ health, isInUse }: { health: SshTransportHealth; isInUse: boolean }) {
  const { state, transport, latencyMs, successRate, lastSuccessAtMs, lastError, nextTryAtMs } = health;
  return (
    <div className="text-12">
      <p className="flex flex-wrap items-center gap-x-3 gap-y-0.5">
        <Status look={TRANSPORT_STATUS[state]} className="w-24" />
        <span className="min-w-0 font-mono break-all">{transport}</span>
        <span className="flex flex-wrap gap-x-3 text-content-3">
          {isInUse && <span className="text-content-2">jobs go this way now</span>}
          {latencyMs !== null && <span>logs in within {Math.round(latencyMs)} ms</span>}
          {successRate !== null && <span>{Math.round(successRate * 100)}% of attempts led there</span>}
          {lastSuccessAtMs !== null && (
            <span>
              last log-in <Time atMs={lastSuccessAtMs} />
            </span>
          )}
          {nextTryAtMs !== null && (
            <span>
              next try <Time atMs={nextTryAtMs} />
            </span>
          )}
        </span>
      </p>
      {lastError !== null && <p className="mt-0.5 break-words text-content-2">{lastError}</p>}
    </div>
  );
}
