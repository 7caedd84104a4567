"use client";
import type { SshLine, SshRunHost } from "@nexus/shared/api/ssh";
import { useEffect, useRef } from "react";
import { cx } from "../../ui/cx.ts";
import { HUE_TEXT } from "../../ui/hue.ts";
import { Panel } from "../../ui/panel.tsx";
import { LINE_MARK } from "./ssh-status.ts";

type SshTranscriptProps = { lines: readonly SshLine[]; hosts: readonly SshRunHost[]; only: number | null };

/** Every line of the work, as it is told. Follows the end unless the reader scrolled up. */
export function SshTranscript({ lines, hosts, only }: SshTranscriptProps) {
  const box = useRef<HTMLDivElement>(null);
  const isAtEnd = useRef(true);
  const shown = only === null ? lines : lines.filter(({ host }) => host === only);
  const last = shown.at(-1)?.seq;
  useEffect(() => {
    if (last !== undefined && isAtEnd.current) box.current?.scrollTo({ top: box.current.scrollHeight });
  }, [last]);
  const title = only === null ? "Transcript" : `Transcript of ${hosts[only]?.address ?? ""}`;
  return (
    <Panel title={title} flush>
      <div
        ref={box}
        role="log"
        aria-label={title}
        onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => {
          isAtEnd.current = scrollTop + clientHeight > scrollHeight - 24;
        }}
        className="max-h-80 overflow-y-auto px-4 py-2 text-12 leading-5"
      >
        {shown.map((line) => (
          <TranscriptLine
            key={line.seq}
            line={line}
            address={only === null && hosts.length > 1 ? hosts[line.host]?.address : undefined}
          />
        ))}
      </div>
    </Panel>
  );
}

function TranscriptLine({ line, address }: { line: SshLine; address: string | undefined }) {
  const { icon: Icon, hue } = LINE_MARK[line.level];
  return (
    <p className="flex items-start gap-2">
      <span className="mt-0.5 size-3.5 shrink-0">
        {Icon && <Icon aria-label={line.level} className={cx("size-3.5", HUE_TEXT[hue])} />}
      </span>
      <span className="min-w-0 break-words">
        {address && <span className="mr-2 font-mono text-content-3">{address}</span>}
        <span className={line.level === "info" || line.level === "skip" ? "text-content-2" : undefined}>
          {line.text}
        </span>
      </span>
    </p>
  );
}
