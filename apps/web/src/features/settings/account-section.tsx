"use client";
import { LogOut, Moon, Sun, SunMoon } from "lucide-react";
import { type FormEvent, useState } from "react";
import { Button } from "../../ui/button.tsx";
import { Field, Input } from "../../ui/field.tsx";
import { Fact, Facts, Panel } from "../../ui/panel.tsx";
import { Segmented } from "../../ui/segmented.tsx";
import { Skeleton } from "../../ui/skeleton.tsx";
import { setTheme, useTheme } from "../../ui/theme.ts";
import { toast } from "../../ui/toaster.tsx";
import { InlineProblem, type Problem } from "../../ui/view-state.tsx";
import { useApi } from "../api/api-context.tsx";
import { useMe } from "../api/me.ts";
import { problemOf } from "../api/problem.ts";
import { useSignOut } from "../api/use-sign-out.ts";

export function AccountSection() {
  const { data: me, error } = useMe();
  const { theme } = useTheme();
  const signOut = useSignOut();
  return (
    <>
      <Panel
        title="You"
        actions={
          <Button size="small" variant="ghost" onClick={signOut}>
            <LogOut /> Sign out
          </Button>
        }
      >
        {error ? (
          <InlineProblem problem={problemOf(error)} />
        ) : me ? (
          <Facts>
            <Fact label="Name">{me.user.name}</Fact>
            <Fact label="E-mail">{me.user.email}</Fact>
            <Fact label="Team">
              {me.team.name}, as {me.role}
            </Fact>
            <Fact label="Server">
              {me.server.url} <span className="text-content-3">{me.server.version}</span>
            </Fact>
            <Fact label="Identity">
              <span className="font-mono text-12 break-all">{me.server.fingerprint}</span>
            </Fact>
          </Facts>
        ) : (
          <Skeleton className="h-28" />
        )}
      </Panel>
      <Panel title="Theme">
        <Segmented
          label="Theme"
          value={theme}
          onChange={setTheme}
          className="narrow:w-full"
          options={[
            { value: "system", label: "As the system", icon: <SunMoon /> },
            { value: "light", label: "Light", icon: <Sun /> },
            { value: "dark", label: "Dark", icon: <Moon /> },
          ]}
        />
      </Panel>
      <PasswordPanel />
    </>
  );
}

const PASSWORD_MIN = 10;

function PasswordPanel() {
  const api = useApi();
  const [current, setCurrent] = useState("");
  const [next, setNext] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const short = next.length > 0 && next.length < PASSWORD_MIN;

  async function submit(event: FormEvent): Promise<void> {
    event.preventDefault();
    if (next.length < PASSWORD_MIN || busy) return;
    setBusy(true);
    setProblem(null);
    try {
      await api.auth.setPassword(next, current || undefined);
      setCurrent("");
      setNext("");
      toast.success("Password changed");
    } catch (error) {
      setProblem(problemOf(error));
    } finally {
      setBusy(false);
    }
  }

  return (
    <Panel title="Password">
      <form onSubmit={(event) => void submit(event)} className="flex flex-col gap-4">
        <div className="grid grid-cols-2 gap-4 narrow:grid-cols-1">
          <Field label="Current password" hint="Leave empty if you came by a link and have none yet.">
            {(control) => (
              <Input
                {...control}
                type="password"
                autoComplete="current-password"
                value={current}
                onChange={(event) => setCurrent(event.target.value)}
              />
            )}
          </Field>
          <Field label="New password" error={short ? `At least ${PASSWORD_MIN} characters.` : null}>
            {(control) => (
              <Input
                {...control}
                type="password"
                autoComplete="new-password"
                value={next}
                onChange={(event) => setNext(event.target.value)}
              />
            )}
          </Field>
        </div>
        {problem && <InlineProblem problem={problem} />}
        <Button
          type="submit"
          className="self-start"
          busy={busy}
          disabledReason={
            next.length < PASSWORD_MIN ? `Type a new password of at least ${PASSWORD_MIN} characters.` : null
          }
        >
          Change password
        </Button>
      </form>
    </Panel>
  );
}
