"use client";
import { commandText } from "@nexus/shared/command-text";
import { Keyboard, LogOut, Server, SquareTerminal, SunMoon } from "lucide-react";
import { useRouter } from "next/navigation";
import { useMemo } from "react";
import { type Command, useCommands } from "../../ui/palette/commands.ts";
import { Palette } from "../../ui/palette/palette.tsx";
import { ShortcutSheet } from "../../ui/palette/shortcut-sheet.tsx";
import { setTheme, useTheme } from "../../ui/theme.ts";
import { useApiQuery } from "../api/api-context.tsx";
import { useSignOut } from "../api/use-sign-out.ts";
import { useLive } from "../live/live-context.tsx";
import { JOB_STATUS } from "../status/job-status.ts";
import { TARGET_STATUS } from "../status/target-status.ts";
import { DESTINATIONS } from "./destinations.ts";
import { setOverlay, useOverlay } from "./overlays.ts";

/** The commands that every view has, and the overlays that show them. */
export function ShellCommands() {
  const router = useRouter();
  const overlay = useOverlay();
  const signOut = useSignOut();
  const { resolved } = useTheme();

  const commands = useMemo<Command[]>(
    () => [
      ...DESTINATIONS.map(
        ({ href, label, icon, keys }): Command => ({
          id: `go-${href}`,
          title: href === "/submit" ? "Submit a job" : href === "/enroll" ? "Enrol a machine" : label,
          keys,
          icon,
          group: href === "/submit" || href === "/enroll" ? "Do" : "Go to",
          run: () => router.push(href),
        }),
      ),
      {
        id: "palette",
        title: "Commands",
        keys: "mod+k",
        group: "Go to",
        keysOnly: true,
        run: () => setOverlay("palette"),
      },
      {
        id: "shortcuts",
        title: "Keyboard shortcuts",
        keys: "?",
        icon: Keyboard,
        group: "Go to",
        run: () => setOverlay("shortcuts"),
      },
      {
        id: "theme",
        title: resolved === "dark" ? "Switch to the light theme" : "Switch to the dark theme",
        icon: SunMoon,
        group: "Do",
        words: "theme appearance colour",
        run: () => setTheme(resolved === "dark" ? "light" : "dark"),
      },
      { id: "sign-out", title: "Sign out", icon: LogOut, group: "Do", run: signOut },
    ],
    [router, resolved, signOut],
  );
  useCommands(commands);

  const close = (open: boolean) => setOverlay(open ? overlay : null);
  return (
    <>
      {overlay === "palette" && <PaletteFinds />}
      <Palette open={overlay === "palette"} onOpenChange={close} />
      <ShortcutSheet open={overlay === "shortcuts"} onOpenChange={close} />
    </>
  );
}

/** Jobs and targets by name, declared while the palette is open. */
function PaletteFinds() {
  const router = useRouter();
  const { fleet } = useLive();
  const { data } = useApiQuery("jobs.list", { limit: 50 }, { staleMs: 10_000 });
  const commands = useMemo<Command[]>(() => {
    const jobs = (data?.jobs ?? []).map(
      (job): Command => ({
        id: `job-${job.id}`,
        title: job.name ?? commandText(job.command).slice(0, 80),
        note: `${JOB_STATUS[job.state].label} · ${job.id}`,
        words: `${job.id} ${job.user.name}`,
        icon: SquareTerminal,
        group: "Jobs",
        run: () => router.push(`/jobs/${job.id}`),
      }),
    );
    const targets = (fleet?.targets ?? []).map(
      (target): Command => ({
        id: `target-${target.id}`,
        title: target.name,
        note: TARGET_STATUS[target.state].label,
        words: Object.entries(target.labels).flat().join(" "),
        icon: Server,
        group: "Targets",
        run: () => {
          // The fleet is there already and hears of the new place by its event, which the router does not send.
          if (window.location.pathname === "/") window.location.hash = target.id;
          else router.push(`/#${target.id}`);
        },
      }),
    );
    return [...jobs, ...targets];
  }, [data, fleet, router]);
  useCommands(commands);
  return null;
}
