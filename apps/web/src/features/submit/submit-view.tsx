"use client";
import { useQueryClient } from "@tanstack/react-query";
import { useRouter } from "next/navigation";
import { parseAsString, useQueryStates } from "nuqs";
import { type FormEvent, useEffect, useMemo, useRef, useState } from "react";
import { Button } from "../../ui/button.tsx";
import { Keys } from "../../ui/keys.tsx";
import { Column, Page } from "../../ui/page.tsx";
import { type Command, useCommands } from "../../ui/palette/commands.ts";
import { toast } from "../../ui/toaster.tsx";
import { InlineProblem } from "../../ui/view-state.tsx";
import { useApiMutation, useApiQuery } from "../api/api-context.tsx";
import { useRoleReason } from "../api/me.ts";
import { problemOf } from "../api/problem.ts";
import { CommandFields } from "./command-fields.tsx";
import { EnvFields } from "./env-fields.tsx";
import { EMPTY_FORM, formOf, type JobForm, readForm } from "./job-form.ts";
import { PlaceFields } from "./place-fields.tsx";
import { Preview } from "./preview.tsx";
import { ResourceFields } from "./resource-fields.tsx";
import { RetryFields } from "./retry-fields.tsx";

export function SubmitView() {
  const [{ from, target }] = useQueryStates({ from: parseAsString, target: parseAsString });
  const source = useApiQuery("jobs.get", { job: from ?? "" }, { enabled: from !== null });
  if (from !== null && source.isPending) return <Page title="Submit a job">{null}</Page>;
  const initial = source.data
    ? formOf(source.data)
    : { ...EMPTY_FORM, ...(target ? { where: "target" as const, target } : {}) };
  return (
    <SubmitForm key={from} initial={initial} notice={source.error ? problemOf(source.error).title : null} />
  );
}

function SubmitForm({ initial, notice }: { initial: JobForm; notice: string | null }) {
  const router = useRouter();
  const cache = useQueryClient();
  const [form, setForm] = useState(initial);
  const [tried, setTried] = useState(false);
  const read = useMemo(() => readForm(form), [form]);
  const errors = tried ? (read.errors ?? {}) : {};
  const [firstError] = Object.values(read.errors ?? {});
  const reason = useRoleReason("member");
  // One key for as long as the form says the same: pressing twice, or after a cut, submits once.
  const submitKey = useRef(newKey());
  const submit = useApiMutation("jobs.submit", ({ jobs }) => {
    void cache.invalidateQueries({ queryKey: ["jobs.list"] });
    const [job] = jobs;
    if (!job) return;
    toast.success("Submitted", { description: job.id });
    router.push(`/jobs/${job.id}`);
  });

  function change(part: Partial<JobForm>): void {
    submitKey.current = newKey();
    setForm((before) => ({ ...before, ...part }));
  }
  function onSubmit(event?: FormEvent): void {
    event?.preventDefault();
    setTried(true);
    if (reason || !read.spec || submit.isPending) return;
    submit.mutate({ jobs: [read.spec], submitKey: submitKey.current });
  }

  const latest = useRef(onSubmit);
  latest.current = onSubmit;
  const commands = useMemo<Command[]>(
    () => [
      {
        id: "submit",
        title: "Submit this job",
        keys: "mod+enter",
        group: "This view",
        run: () => latest.current(),
      },
    ],
    [],
  );
  useCommands(commands);
  useEffect(() => {
    if (notice) toast.warning("Could not copy that job", { description: notice });
  }, [notice]);

  return (
    <Page title="Submit a job">
      <Column wide>
        <form
          onSubmit={onSubmit}
          noValidate
          className="grid grid-cols-[minmax(0,1fr)_300px] gap-8 narrow:grid-cols-1 narrow:gap-5"
        >
          <div className="flex min-w-0 flex-col gap-6">
            <CommandFields form={form} errors={errors} onChange={change} />
            <ResourceFields form={form} errors={errors} onChange={change} />
            <PlaceFields form={form} errors={errors} onChange={change} />
            <RetryFields form={form} errors={errors} onChange={change} />
            <EnvFields form={form} errors={errors} onChange={change} />
          </div>
          <div className="flex flex-col gap-3 wide:sticky wide:top-6 wide:self-start">
            <Preview spec={read.spec} missing={form.command.trim() === "" ? null : (firstError ?? null)} />
            {submit.error && <InlineProblem problem={problemOf(submit.error)} />}
            <Button
              type="submit"
              variant="primary"
              className="h-9! w-full narrow:h-11!"
              busy={submit.isPending}
              disabledReason={reason}
            >
              Submit
            </Button>
            <p className="flex items-center justify-center gap-1.5 text-12 text-content-3 narrow:hidden">
              <Keys keys="mod+enter" /> from any field
            </p>
          </div>
        </form>
      </Column>
    </Page>
  );
}

/** `randomUUID` exists on secure origins only; a lab's plain http is not one. */
function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("");
}
