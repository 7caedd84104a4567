"use client";
/** The frame of every signed-in view: navigation, palette, shortcuts, live data, and the way out when signed out. */
import { usePathname, useRouter } from "next/navigation";
import { type ReactNode, useEffect } from "react";
import { useNow } from "../../ui/clock.ts";
import { KeyListener } from "../../ui/palette/key-listener.tsx";
import { StaleBar } from "../../ui/view-state.tsx";
import { useApi, useConnection } from "../api/api-context.tsx";
import { useMe } from "../api/me.ts";
import { isSignedOut } from "../api/problem.ts";
import { LiveProvider } from "../live/live-context.tsx";
import { BottomBar } from "./bottom-bar.tsx";
import { ShellCommands } from "./shell-commands.tsx";
import { Sidebar } from "./sidebar.tsx";

export function Shell({ children }: { children: ReactNode }) {
  useWayOut();
  return (
    <LiveProvider>
      <div className="flex h-dvh overflow-hidden narrow:flex-col">
        <Sidebar />
        <div className="flex min-h-0 min-w-0 flex-1 flex-col">
          <ConnectionBar />
          {children}
        </div>
        <BottomBar />
      </div>
      <ShellCommands />
      <KeyListener />
    </LiveProvider>
  );
}

/** A reconnect within this time is nobody's business. */
const QUIET_MS = 1000;

function ConnectionBar() {
  const api = useApi();
  const { lostSinceMs, wasLive, signedOut } = useConnection();
  const nowMs = useNow();
  if (lostSinceMs === null || nowMs - lostSinceMs < QUIET_MS || !wasLive || signedOut) return null;
  return <StaleBar sinceMs={lostSinceMs} onRetry={api.reconnect} />;
}

function useWayOut(): void {
  const router = useRouter();
  const pathname = usePathname();
  const { error, refetch } = useMe();
  const { signedOut, lostSinceMs } = useConnection();
  // A browser cannot read why an upgrade was refused; asking over HTTP tells a lost session from a lost network.
  useEffect(() => {
    if (lostSinceMs !== null) void refetch();
  }, [lostSinceMs, refetch]);
  useEffect(() => {
    if (!signedOut && !isSignedOut(error)) return;
    // With its filters and picked lines: the address may have come from somebody else.
    const { search, hash } = window.location;
    router.replace(`/sign-in?next=${encodeURIComponent(pathname + search + hash)}`);
  }, [signedOut, error, router, pathname]);
}
