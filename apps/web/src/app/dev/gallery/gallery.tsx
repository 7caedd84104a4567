"use client";
import { useSearchParams } from "next/navigation";
import type { ReactNode } from "react";
import { EnrollView } from "../../../features/enroll/enroll-view.tsx";
import { FleetView } from "../../../features/fleet/fleet-view.tsx";
import { JobView } from "../../../features/jobs/job-view.tsx";
import { JobsView } from "../../../features/jobs/jobs-view.tsx";
import { SettingsView } from "../../../features/settings/settings-view.tsx";
import { Shell } from "../../../features/shell/shell.tsx";
import { SignInView } from "../../../features/sign-in/sign-in-view.tsx";
import { SubmitView } from "../../../features/submit/submit-view.tsx";
import { Providers } from "../../providers.tsx";
import { createSeedApi, MOODS, type Mood } from "./_seed/seed-api.ts";
import { Primitives } from "./primitives.tsx";

/** `?show=fleet&mood=stale`. Without `show` the primitives. */
export function Gallery() {
  const parameters = useSearchParams();
  const show = parameters.get("show") ?? "primitives";
  const mood = MOODS.find((one) => one === parameters.get("mood")) ?? "live";
  const view = VIEWS[show];
  if (!view) return <Primitives views={Object.keys(VIEWS)} />;
  return (
    <Providers key={mood} makeApi={MAKE[mood]}>
      {show === "sign-in" ? view() : <Shell>{view(parameters.get("job") ?? undefined)}</Shell>}
    </Providers>
  );
}

const MAKE = Object.fromEntries(MOODS.map((mood) => [mood, () => createSeedApi(mood)])) as Record<
  Mood,
  () => ReturnType<typeof createSeedApi>
>;

const VIEWS: Record<string, (job?: string) => ReactNode> = {
  fleet: () => <FleetView />,
  jobs: () => <JobsView />,
  job: (job) => <JobView id={job ?? "j_7k2m9x4tqa"} />,
  submit: () => <SubmitView />,
  enroll: () => <EnrollView />,
  settings: () => <SettingsView />,
  "sign-in": () => <SignInView />,
};
