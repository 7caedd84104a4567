"use client";
import { type FormEvent, useState } from "react";
import { Button } from "../../ui/button.tsx";
import { Field, Input } from "../../ui/field.tsx";
import { InlineProblem, type Problem } from "../../ui/view-state.tsx";
import { useApi } from "../api/api-context.tsx";
import { problemOf } from "../api/problem.ts";

export function SignInForm({ onSignedIn }: { onSignedIn: () => void }) {
  const api = useApi();
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);

  async function submit(event: FormEvent): Promise<void> {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setProblem(null);
    try {
      await api.auth.signIn(email, password);
      onSignedIn();
    } catch (error) {
      const { code, title, next } = problemOf(error);
      setProblem({
        code,
        title,
        next: code === "unauthenticated" ? "Check both, or ask an admin for a link." : next,
      });
      setBusy(false);
    }
  }

  return (
    <form
      onSubmit={(event) => void submit(event)}
      className="flex flex-col gap-4 rounded-lg border bg-surface-1 p-5"
    >
      <Field label="E-mail">
        {(control) => (
          <Input
            {...control}
            type="email"
            autoComplete="username"
            required
            autoFocus
            value={email}
            onChange={(event) => setEmail(event.target.value)}
          />
        )}
      </Field>
      <Field label="Password">
        {(control) => (
          <Input
            {...control}
            type="password"
            autoComplete="current-password"
            required
            value={password}
            onChange={(event) => setPassword(event.target.value)}
          />
        )}
      </Field>
      {problem && <InlineProblem problem={problem} hidesCode={problem.code === "unauthenticated"} />}
      <Button type="submit" variant="primary" busy={busy} className="h-9! w-full narrow:h-11!">
        Sign in
      </Button>
    </form>
  );
}
