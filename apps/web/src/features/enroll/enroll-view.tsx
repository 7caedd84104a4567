"use client";
import { Network, SquareTerminal } from "lucide-react";
import { parseAsString, parseAsStringLiteral, useQueryState } from "nuqs";
import { Column, Page } from "../../ui/page.tsx";
import { Segmented } from "../../ui/segmented.tsx";
import { CommandEnrolment } from "./command-enrolment.tsx";
import { SshEnrolment } from "./ssh-enrolment.tsx";

const WAYS = ["command", "ssh"] as const;

export function EnrollView() {
  const [way, setWay] = useQueryState("by", parseAsStringLiteral(WAYS).withDefault("command"));
  const [run, setRun] = useQueryState("run", parseAsString);
  return (
    <Page title="Enrol a machine">
      <Column>
        <Segmented
          label="How the machine is reached"
          className="mb-5 narrow:flex"
          value={way}
          onChange={(next) => void setWay(next)}
          options={[
            { value: "command", label: "A command on the machine", icon: <SquareTerminal aria-hidden /> },
            { value: "ssh", label: "Over SSH from here", icon: <Network aria-hidden /> },
          ]}
        />
        {way === "command" ? (
          <CommandEnrolment />
        ) : (
          <SshEnrolment run={run} onRun={(id) => void setRun(id)} />
        )}
      </Column>
    </Page>
  );
}
