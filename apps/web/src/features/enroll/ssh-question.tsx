"use client";
import type { SshRunHost } from "@nexus/shared/api/ssh";
import { KeyRound } from "lucide-react";
import { Button } from "../../ui/button.tsx";
import { InlineProblem } from "../../ui/view-state.tsx";
import { useApiMutation } from "../api/api-context.tsx";
import { problemOf } from "../api/problem.ts";

/** The key of a machine that nobody knows yet: the one moment in which a person can tell it from another's. */
export function SshQuestion({ run, host }: { run: string; host: SshRunHost }) {
  const answer = useApiMutation("ssh.answer");
  const { question } = host;
  if (!question) return null;
  const { fingerprint } = question;
  const give = (accept: boolean) => answer.mutate({ id: run, host: host.index, fingerprint, accept });
  return (
    <section
      aria-label={`The key of ${question.name}`}
      className="flex flex-col gap-2 rounded-lg border border-border-2 bg-wait-soft p-4"
    >
      <h3 className="flex items-center gap-2 font-semibold">
        <KeyRound aria-hidden className="size-4 text-wait" />
        Is this the key of {question.name}?
      </h3>
      <p className="font-mono text-12 break-all">
        {question.type} {fingerprint}
      </p>
      <p className="text-12 text-content-2">
        Compare it on the machine:{" "}
        <code className="font-mono">ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub</code>. It is asked once;
        another key is refused from then on.
      </p>
      {answer.error && <InlineProblem problem={problemOf(answer.error)} />}
      <p className="flex gap-2">
        <Button variant="primary" busy={answer.isPending} onClick={() => give(true)}>
          It is, go on
        </Button>
        <Button disabled={answer.isPending} onClick={() => give(false)}>
          No
        </Button>
      </p>
    </section>
  );
}
