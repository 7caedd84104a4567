"use client";
import { useState } from "react";
import { useApiQuery } from "../api/api-context.tsx";
import { ChooseStep } from "./choose-step.tsx";
import type { CreatedToken } from "./enroll-commands.ts";
import { RunStep } from "./run-step.tsx";
import { Step } from "./step.tsx";
import { TokenList } from "./token-list.tsx";
import { WaitStep } from "./wait-step.tsx";

/** How often tokens are asked for while one is waited on: a used one says which node came with it. */
const WAITING_REFETCH_MS = 2000;

/** A person runs one command on the machine, which dials here. */
export function CommandEnrolment() {
  const [created, setCreated] = useState<CreatedToken | null>(null);
  const tokens = useApiQuery("enrollTokens.list", undefined, { refetchMs: created ? WAITING_REFETCH_MS : 0 });
  const token = tokens.data?.find(({ id }) => id === created?.enrollToken.id) ?? created?.enrollToken ?? null;
  const arrived = token?.targets ?? [];

  return (
    <>
      <ol className="flex flex-col">
        <Step number={1} title="Choose how it joins" state={created ? "done" : "now"}>
          <ChooseStep
            created={created}
            onCreated={(next) => {
              setCreated(next);
              void tokens.refetch();
            }}
            onAgain={() => setCreated(null)}
          />
        </Step>
        <Step
          number={2}
          title="Run one command on the machine"
          state={!created ? "later" : arrived.length > 0 ? "done" : "now"}
        >
          {created && <RunStep created={created} />}
        </Step>
        <Step
          number={3}
          title="It appears here"
          state={!created ? "later" : arrived.length > 0 ? "done" : "now"}
          last
        >
          {token && created && <WaitStep token={token} />}
        </Step>
      </ol>
      <TokenList tokens={tokens.data} error={tokens.error} onRetry={() => void tokens.refetch()} />
    </>
  );
}
