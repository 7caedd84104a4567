/** The gallery's log: colours, a progress bar, broken bytes, a missing range, an endless line, and 120,000 lines. */
import type { LogSource } from "../../../../ui/log-view/log-feed.ts";

const LINES = 120_000;
const GONE = { from: 40_000, to: 52_000 };
const READ_BYTES_MAX = 512 * 1024;

const utf8 = new TextEncoder();

function line(index: number): string {
  if (index % 997 === 0)
    return `\x1b[31mERROR\x1b[0m rank ${index % 8}: loss is nan at step ${index}, skipping the batch`;
  if (index % 211 === 0)
    return `\x1b[33mWARNING\x1b[0m gradient norm \x1b[1m${(index % 97) / 3}\x1b[0m above the clip of 1.0`;
  if (index % 53 === 0)
    return `\x1b[38;5;111mcheckpoint\x1b[0m saved to \x1b[4mruns/sft-8b/step-${index}.pt\x1b[0m (\x1b[32mok\x1b[0m, 15.9 GiB)`;
  return `\x1b[2m[${stamp(index)}]\x1b[0m step \x1b[36m${index}\x1b[0m loss \x1b[1m${(2.4 / (1 + index / 9000)).toFixed(4)}\x1b[0m lr 2.0e-05 ${index % 9 === 0 ? "😀 ✓ 世界" : `tok/s ${41_000 + (index % 700)}`}`;
}

function stamp(index: number): string {
  return new Date(1_763_600_000_000 + index * 700).toISOString().slice(11, 19);
}

function progress(): string {
  const bars = Array.from({ length: 40 }, (_, step) => {
    const done = Math.round(((step + 1) / 40) * 30);
    return `Loading shards: ${Math.round(((step + 1) / 40) * 100)}%|${"█".repeat(done)}${" ".repeat(30 - done)}| ${step + 1}/40`;
  });
  return `${bars.join("\r")}\n`;
}

function opening(): Uint8Array[] {
  return [
    utf8.encode(
      "\x1b]0;a title that must not show\x07$ torchrun --nproc-per-node 4 train.py --config configs/sft-8b.yaml\n",
    ),
    utf8.encode(progress()),
    utf8.encode("bytes that are no text: "),
    new Uint8Array([0xff, 0xfe, 0xc3, 0x28]),
    utf8.encode(
      `\n\x1b[1;7m EPOCH 1 \x1b[0m \x1b[45;97m bf16 \x1b[0m \x1b[38;2;255;140;60mtrue colour\x1b[0m \x1b[9mstruck\x1b[0m\n`,
    ),
    utf8.encode(`an endless line: ${"0123456789abcdef".repeat(1200)} and its end\n`),
  ];
}

/** @returns a log that grows by a few lines a second, and how to hear of it. */
export function createSeedLog(gap: boolean): { source: LogSource; size: () => number; grow: () => void } {
  const parts = [
    ...opening(),
    utf8.encode(Array.from({ length: LINES }, (_, index) => `${line(index)}\n`).join("")),
  ];
  let bytes = join(parts);
  let next = LINES;
  return {
    source: {
      read: async (offset, limit) => {
        const from = gap && offset >= GONE.from && offset < GONE.to ? GONE.to : offset;
        const until = Math.min(
          offset + limit,
          from + READ_BYTES_MAX,
          gap && from < GONE.from ? GONE.from : bytes.length,
        );
        return { offset: from, bytes: bytes.slice(from, until), size: bytes.length, ended: false };
      },
    },
    size: () => bytes.length,
    grow: () => {
      const more = Array.from({ length: 1 + Math.floor(Math.random() * 4) }, () => `${line(next++)}\n`);
      bytes = join([bytes, utf8.encode(more.join(""))]);
    },
  };
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
