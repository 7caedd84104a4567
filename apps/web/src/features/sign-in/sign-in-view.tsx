"use client";
/**
 * The way in. States: asking the server, redeeming a one-time link, the form, and no owner yet (then only the link that the
 * server printed leads in). The link's secret is in the URL's fragment, which no server sees; it is wiped from the address
 * and the history before anything else happens.
 */
import { LoaderCircle } from "lucide-react";
import { useRouter } from "next/navigation";
import { useEffect, useRef, useState } from "react";
import { Button } from "../../ui/button.tsx";
import { Logo } from "../../ui/logo.tsx";
import { ErrorState, InlineProblem, type Problem } from "../../ui/view-state.tsx";
import { useApi } from "../api/api-context.tsx";
import { problemOf } from "../api/problem.ts";
import { LinkCommands, NewLink } from "./new-link.tsx";
import { nextPath } from "./next-path.ts";
import { SignInForm } from "./sign-in-form.tsx";

type Phase = "asking" | "redeeming" | "form" | "no-owner" | "unreachable";

export function SignInView() {
  const api = useApi();
  const router = useRouter();
  const [phase, setPhase] = useState<Phase>("asking");
  const [problem, setProblem] = useState<Problem | null>(null);
  const [isLinkDead, setLinkDead] = useState(false);
  const begun = useRef(false);

  function enter(): void {
    router.replace(nextPath(new URLSearchParams(window.location.search).get("next")) as "/");
  }

  async function begin(): Promise<void> {
    const link = takeLink();
    setPhase(link === null ? "asking" : "redeeming");
    try {
      if (link !== null) {
        await api.auth.openLink(link);
        enter();
        return;
      }
    } catch (error) {
      const failed = problemOf(error);
      const isDead = failed.code === "unauthenticated";
      setLinkDead(isDead);
      setProblem(isDead ? { ...failed, next: "How to get a new one stands below." } : failed);
    }
    try {
      const { hasOwner, signedIn } = await api.auth.state();
      if (signedIn) enter();
      else setPhase(hasOwner ? "form" : "no-owner");
    } catch (error) {
      setProblem(problemOf(error));
      setPhase("unreachable");
    }
  }

  // A link works once: the effect must not run twice, as it does in development.
  // biome-ignore lint/correctness/useExhaustiveDependencies: it begins with the page.
  useEffect(() => {
    if (begun.current) return;
    begun.current = true;
    void begin();
  }, []);

  return (
    <main className="grid min-h-dvh place-items-center px-4 py-12">
      <div className="w-full max-w-88">
        <div className="mb-8 flex flex-col items-center gap-3">
          <Logo className="size-8" />
          <h1 className="text-16 font-semibold">Nexus</h1>
        </div>
        {problem && phase !== "unreachable" && (
          <div className="mb-4">
            <InlineProblem problem={problem} hidesCode={isLinkDead} />
          </div>
        )}
        {(phase === "asking" || phase === "redeeming") && (
          <p role="status" className="flex items-center justify-center gap-2 text-content-2">
            <LoaderCircle aria-hidden className="size-4 animate-turn" />
            {phase === "redeeming" ? "Signing you in…" : "Asking the control plane…"}
          </p>
        )}
        {phase === "form" && (
          <>
            <SignInForm onSignedIn={enter} />
            <NewLink isOpen={isLinkDead} />
          </>
        )}
        {phase === "no-owner" && <NoOwner onRetry={() => void begin()} />}
        {phase === "unreachable" && problem && <ErrorState problem={problem} onRetry={() => void begin()} />}
      </div>
    </main>
  );
}

function NoOwner({ onRetry }: { onRetry: () => void }) {
  return (
    <div className="flex flex-col gap-3 rounded-lg border bg-surface-1 p-5">
      <h2 className="text-14 font-semibold">This server has no owner yet</h2>
      <p className="text-content-2">
        It shows no form to become one, since anybody could. Who has a shell on the server makes a one-time
        link there.
      </p>
      <LinkCommands />
      <Button onClick={onRetry} className="self-start">
        Look again
      </Button>
    </div>
  );
}

/** Takes the secret out of the fragment, and the fragment out of the address and the history. */
function takeLink(): string | null {
  const link = new URLSearchParams(window.location.hash.slice(1)).get("link");
  if (window.location.hash) {
    window.history.replaceState(window.history.state, "", window.location.pathname + window.location.search);
  }
  return link;
}
