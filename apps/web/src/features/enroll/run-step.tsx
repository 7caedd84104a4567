"use client";
import { isLoopbackOrigin } from "@nexus/shared/protocol/origin";
import { EyeOff, TriangleAlert } from "lucide-react";
import { CommandBox } from "../../ui/copy-button.tsx";
import { useMe } from "../api/me.ts";
import { type CreatedToken, enrollCommands } from "./enroll-commands.ts";

export function RunStep({ created }: { created: CreatedToken }) {
  const { data: me } = useMe();
  const { quick, careful } = enrollCommands(created);
  return (
    <div className="flex flex-col gap-3">
      <p className="text-content-2">
        It needs Node and npm, no root, and no open port: the machine dials out to this server and checks its
        identity against the token.
      </p>
      <CommandBox command={quick} />
      {created.fromHere && (
        <div className="flex flex-col gap-2 text-12 text-content-3">
          <p>
            It takes the agent from this server; the package's SHA-256 is{" "}
            <code className="break-all font-mono">{created.fromHere.sha256}</code>. Where npx has the
            published package, this does the same:
          </p>
          <CommandBox command={created.command} />
        </div>
      )}
      {me && isLoopbackOrigin(me.server.url) && (
        <p className="flex items-start gap-2 rounded-md bg-wait-soft px-3 py-2">
          <TriangleAlert aria-hidden className="mt-0.5 size-4 shrink-0 text-wait" />
          <span>
            This server is known as {me.server.url}, which only this machine reaches. For others, start it
            with <code className="font-mono text-12">NEXUS_HOST</code> or{" "}
            <code className="font-mono text-12">NEXUS_PUBLIC_URL</code> set, then make a new token.
          </span>
        </p>
      )}
      <details className="text-12">
        <summary className="text-content-3 hover:text-content-1">
          On a machine that others share, keep the token out of the process list
        </summary>
        <div className="mt-2">
          <CommandBox command={careful} />
        </div>
      </details>
      <p className="flex items-start gap-2 text-12 text-content-3">
        <EyeOff aria-hidden className="mt-0.5 size-3.5 shrink-0" />
        The token is shown this once. Whoever has it can add a machine to your fleet until it is used or
        expires; revoke it below if it went astray.
      </p>
    </div>
  );
}
