"use client";
import { labelsSchema, nameSchema } from "@nexus/shared/api/schemas";
import { type FormEvent, useState } from "react";
import { Labels } from "../../ui/badge.tsx";
import { Button } from "../../ui/button.tsx";
import { Field, Input } from "../../ui/field.tsx";
import { plural } from "../../ui/format.ts";
import { parseLabels } from "../../ui/labels-text.ts";
import { Select } from "../../ui/select.tsx";
import { Time } from "../../ui/time.tsx";
import { InlineProblem } from "../../ui/view-state.tsx";
import { useApiMutation } from "../api/api-context.tsx";
import { useRoleReason } from "../api/me.ts";
import { problemOf } from "../api/problem.ts";
import type { CreatedToken } from "./enroll-commands.ts";

const LIFETIMES = [
  { value: "1800000", label: "30 minutes" },
  { value: "14400000", label: "4 hours" },
  { value: "86400000", label: "1 day" },
  { value: "604800000", label: "7 days" },
] as const;
type Lifetime = (typeof LIFETIMES)[number]["value"];
const USES_MAX = 10_000;

type ChooseStepProps = {
  created: CreatedToken | null;
  onCreated: (token: CreatedToken) => void;
  onAgain: () => void;
};

export function ChooseStep({ created, onCreated, onAgain }: ChooseStepProps) {
  if (!created) return <ChooseForm onCreated={onCreated} />;
  const { enrollToken: token } = created;
  return (
    <p className="flex flex-wrap items-center gap-x-2 gap-y-1 text-content-2">
      <span>{token.name ?? "Named after the machine"},</span>
      <span>
        {plural(token.usesMax, "use")}, expires <Time atMs={token.expiresAtMs} />
      </span>
      <Labels labels={token.labels} />
      <Button size="small" variant="ghost" onClick={onAgain}>
        Make another
      </Button>
    </p>
  );
}

function ChooseForm({ onCreated }: Pick<ChooseStepProps, "onCreated">) {
  const [name, setName] = useState("");
  const [labels, setLabels] = useState("");
  const [uses, setUses] = useState("1");
  const [lifetime, setLifetime] = useState<Lifetime>("1800000");
  const create = useApiMutation("enrollTokens.create", onCreated);
  const reason = useRoleReason("admin");

  const nameOk = name === "" || nameSchema.safeParse(name).success;
  const parsedLabels = labelsSchema.safeParse(parseLabels(labels));
  const usesMax = Number(uses);
  const usesOk = Number.isInteger(usesMax) && usesMax >= 1 && usesMax <= USES_MAX;
  const nameFits = name === "" || usesMax === 1;

  function submit(event: FormEvent): void {
    event.preventDefault();
    if (reason || !nameOk || !nameFits || !parsedLabels.success || !usesOk) return;
    create.mutate({
      labels: parsedLabels.data,
      usesMax,
      ttlMs: Number(lifetime),
      ...(name === "" ? {} : { name }),
    });
  }

  return (
    <form onSubmit={submit} className="grid grid-cols-2 gap-4 narrow:grid-cols-1">
      <Field
        label="Name"
        optional
        hint="Otherwise it is named after its host name."
        error={
          nameOk
            ? nameFits
              ? null
              : "A token of several uses cannot name them all."
            : "1 to 63 of a–z 0–9 . _ -"
        }
      >
        {(control) => (
          <Input
            {...control}
            value={name}
            placeholder="gpu-lab-2"
            spellCheck={false}
            autoComplete="off"
            onChange={(event) => setName(event.target.value)}
          />
        )}
      </Field>
      <Field
        label="Labels"
        optional
        hint="Jobs choose machines by them."
        error={parsedLabels.success ? null : "Letters, digits and . _ / - only."}
      >
        {(control) => (
          <Input
            {...control}
            value={labels}
            placeholder="role=training rack=b2"
            spellCheck={false}
            autoComplete="off"
            onChange={(event) => setLabels(event.target.value)}
          />
        )}
      </Field>
      <Field label="Machines" hint="How many may use the token." error={usesOk ? null : `1 to ${USES_MAX}`}>
        {(control) => (
          <Input
            {...control}
            inputMode="numeric"
            value={uses}
            onChange={(event) => setUses(event.target.value)}
          />
        )}
      </Field>
      <Field label="Token expires in">
        {(control) => (
          <Select
            id={control.id}
            label="Token expires in"
            value={lifetime}
            options={LIFETIMES}
            onChange={setLifetime}
          />
        )}
      </Field>
      {create.error && (
        <div className="col-span-full">
          <InlineProblem problem={problemOf(create.error)} />
        </div>
      )}
      <div className="col-span-full">
        <Button
          type="submit"
          variant="primary"
          busy={create.isPending}
          disabledReason={reason}
          className="narrow:w-full"
        >
          Make an enrolment token
        </Button>
      </div>
    </form>
  );
}
