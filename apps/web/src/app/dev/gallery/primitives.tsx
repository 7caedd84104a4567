"use client";
import { JOB_STATES } from "@nexus/shared/machines/job";
import { TARGET_STATES } from "@nexus/shared/machines/target";
import { Inbox, Plus, Settings2, Trash2 } from "lucide-react";
import Link from "next/link";
import { type ReactNode, useState } from "react";
import { JOB_STATUS } from "../../../features/status/job-status.ts";
import { TARGET_STATUS, targetExtra } from "../../../features/status/target-status.ts";
import { Badge, Labels } from "../../../ui/badge.tsx";
import { Button, IconButton } from "../../../ui/button.tsx";
import { Sparkline } from "../../../ui/chart/sparkline.tsx";
import { TimeChart } from "../../../ui/chart/time-chart.tsx";
import { Checkbox } from "../../../ui/checkbox.tsx";
import { ConfirmDialog } from "../../../ui/confirm-dialog.tsx";
import { CommandBox, CopyText } from "../../../ui/copy-button.tsx";
import { Field, Input, TextArea } from "../../../ui/field.tsx";
import { HUES } from "../../../ui/hue.ts";
import { Keys } from "../../../ui/keys.tsx";
import { Menu, MenuCheck, MenuItem, MenuSeparator } from "../../../ui/menu.tsx";
import { Meter } from "../../../ui/meter.tsx";
import { Fact, Facts, Panel } from "../../../ui/panel.tsx";
import { Segmented } from "../../../ui/segmented.tsx";
import { Select } from "../../../ui/select.tsx";
import { SkeletonRows } from "../../../ui/skeleton.tsx";
import { Status } from "../../../ui/status.tsx";
import { setTheme, useTheme } from "../../../ui/theme.ts";
import { toast } from "../../../ui/toaster.tsx";
import { EmptyState, ErrorState, InlineProblem, StaleBar } from "../../../ui/view-state.tsx";
import { MOODS } from "./_seed/seed-api.ts";

const PROBLEM = {
  code: "target_offline",
  title: "ada is not connected.",
  next: "Start its agent, or choose another.",
};
const EPOCH_MS = 1_763_600_000_000;
const WAVE = Array.from({ length: 60 }, (_, index) => 50 + 45 * Math.sin(index / 6));

export function Primitives({ views }: { views: string[] }) {
  const { theme } = useTheme();
  const [confirming, setConfirming] = useState(false);
  const [checked, setChecked] = useState(true);
  return (
    <main className="mx-auto flex max-w-5xl flex-col gap-5 p-6 narrow:p-4">
      <header className="flex flex-wrap items-center gap-3">
        <h1 className="text-20 font-semibold">Gallery</h1>
        <Segmented
          label="Theme"
          value={theme}
          onChange={setTheme}
          options={[
            { value: "system", label: "System" },
            { value: "light", label: "Light" },
            { value: "dark", label: "Dark" },
          ]}
        />
      </header>
      <Panel title="Views">
        <ul className="grid grid-cols-2 gap-x-6 gap-y-1 narrow:grid-cols-1">
          {views.map((view) => (
            <li key={view} className="flex gap-2">
              <span className="w-16 font-medium">{view}</span>
              {MOODS.map((mood) => (
                <Link
                  key={mood}
                  href={{ query: { show: view, mood } }}
                  className="text-accent hover:underline"
                >
                  {mood}
                </Link>
              ))}
            </li>
          ))}
        </ul>
      </Panel>
      <Grid>
        <Panel title="Buttons">
          <Row>
            <Button variant="primary">Submit</Button>
            <Button>
              <Plus /> Enrol
            </Button>
            <Button variant="ghost">Cancel</Button>
            <Button variant="danger" onClick={() => setConfirming(true)}>
              Remove
            </Button>
            <IconButton label="Settings">
              <Settings2 />
            </IconButton>
          </Row>
          <Row>
            <Button variant="primary" busy>
              Submitting
            </Button>
            <Button variant="primary" disabledReason="This needs the role admin; yours is member.">
              Not for you
            </Button>
            <Button disabledReason="It already succeeded.">Cancel</Button>
            <Button size="small">Small</Button>
            <Menu trigger={<Button>Menu</Button>}>
              <MenuItem icon={<Plus />} keys="c" onSelect={() => toast("Chosen")}>
                Submit a job
              </MenuItem>
              <MenuCheck checked={checked} onChange={setChecked}>
                Running
              </MenuCheck>
              <MenuSeparator />
              <MenuItem
                icon={<Trash2 />}
                danger
                disabledReason="This needs the role admin."
                onSelect={() => undefined}
              >
                Remove
              </MenuItem>
            </Menu>
          </Row>
          <Row>
            <Button onClick={() => toast.success("2 jobs told to end")}>Good news</Button>
            <Button
              onClick={() =>
                toast.error("Not revoked", { description: "The control plane does not answer." })
              }
            >
              Bad news
            </Button>
            <Keys keys="mod+k" />
            <Keys keys="g j" />
            <Keys keys="?" />
          </Row>
        </Panel>
        <Panel title="Fields">
          <div className="grid gap-3">
            <Field label="Name" hint="Otherwise it is named after its host name." optional>
              {(control) => <Input {...control} placeholder="gpu-lab-2" />}
            </Field>
            <Field label="Time limit" error="A time such as 90s, 30m, 12h or 2d.">
              {(control) => <Input {...control} defaultValue="soon" />}
            </Field>
            <TextArea defaultValue="python train.py --epochs 10" rows={2} aria-label="Command" />
            <Row>
              <Select
                label="Queue"
                value="default"
                options={[
                  { value: "default", label: "default" },
                  { value: "batch", label: "batch", note: "4 at once" },
                ]}
                onChange={() => undefined}
              />
              <Checkbox checked aria-label="Yes" />
              <Checkbox checked={false} aria-label="No" />
              <Checkbox checked="indeterminate" aria-label="Some" />
            </Row>
          </div>
        </Panel>
        <Panel title="States of a job">
          <Looks looks={JOB_STATES.map((state) => JOB_STATUS[state])} />
        </Panel>
        <Panel title="States of a target">
          <Looks looks={TARGET_STATES.map((state) => TARGET_STATUS[state])} />
          <Row>
            {[
              targetExtra({ cordoned: true, draining: false }),
              targetExtra({ cordoned: true, draining: true }),
            ].map((look) => look && <Status key={look.label} look={look} pill />)}
          </Row>
        </Panel>
        <Panel title="Hues, labels, meters">
          <Row>
            {HUES.map((hue) => (
              <Badge key={hue} hue={hue}>
                {hue}
              </Badge>
            ))}
            <Labels labels={{ role: "training", fast: "" }} />
          </Row>
          <div className="mt-3 grid gap-2">
            <Meter label="60% used" parts={[{ part: 0.6, hue: "active" }]} />
            <Meter
              label="Jobs and others"
              parts={[
                { part: 0.4, hue: "active" },
                { part: 0.25, hue: "odd", hatched: true },
                { part: 0.1, hue: "idle" },
              ]}
            />
            <Sparkline values={WAVE} max={100} label="A wave" className="h-8 w-full text-active" />
          </div>
        </Panel>
        <Panel title="Chart">
          <TimeChart
            label="Two waves"
            timesMs={WAVE.map((_, index) => EPOCH_MS + index * 5000)}
            series={[
              { label: "GPU 0", token: "--active", values: WAVE },
              {
                label: "GPU 1",
                token: "--good",
                values: WAVE.map((value, index) => (index > 20 && index < 28 ? null : 100 - value)),
              },
            ]}
            formatValue={(value) => `${Math.round(value)}%`}
            max={100}
          />
        </Panel>
        <Panel title="Facts and copying">
          <Facts>
            <Fact label="Id">
              <CopyText text="j_7k2m9x4tqa" />
            </Fact>
            <Fact label="Target">ada</Fact>
          </Facts>
          <div className="mt-3">
            <CommandBox command="npx nexus-agent enroll nxe1_9uX3kq0r1dNfO7mY2vB5wT8zE4aC6hJ1" />
          </div>
        </Panel>
        <Panel title="Trouble" flush>
          <StaleBar sinceMs={EPOCH_MS} onRetry={() => undefined} />
          <div className="p-4">
            <InlineProblem problem={PROBLEM} />
          </div>
        </Panel>
        <Panel title="Empty" flush>
          <EmptyState
            icon={Inbox}
            title="No job yet"
            action={<Button variant="primary">Submit the first job</Button>}
          >
            From a shell it is nexus run -- nvidia-smi.
          </EmptyState>
        </Panel>
        <Panel title="Error" flush>
          <ErrorState problem={PROBLEM} onRetry={() => undefined} />
        </Panel>
        <Panel title="Loading" flush>
          <SkeletonRows rows={5} label="Loading" />
        </Panel>
      </Grid>
      <ConfirmDialog
        open={confirming}
        onOpenChange={setConfirming}
        title="Remove ada from the fleet?"
        description="Its key is worth nothing from then on."
        action="Remove ada"
        onConfirm={async () => true}
      />
    </main>
  );
}

function Grid({ children }: { children: ReactNode }) {
  return <div className="grid grid-cols-2 gap-5 narrow:grid-cols-1">{children}</div>;
}

function Row({ children }: { children: ReactNode }) {
  return <div className="flex flex-wrap items-center gap-2 not-first:mt-3">{children}</div>;
}

function Looks({ looks }: { looks: (typeof JOB_STATUS)[keyof typeof JOB_STATUS][] }) {
  return (
    <ul className="grid grid-cols-2 gap-x-6 gap-y-2">
      {looks.map((look) => (
        <li key={look.label} className="flex items-center justify-between gap-2">
          <Status look={look} />
          <Status look={look} pill iconOnly />
        </li>
      ))}
    </ul>
  );
}
