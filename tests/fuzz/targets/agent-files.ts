import { readFileSync } from "node:fs";
import { NexusError } from "@nexus/shared/errors";
import { gpuFactsSchema } from "@nexus/shared/protocol/messages";
import { lostLine, parseRecord } from "../../../apps/agent/src/core/attempt-record.ts";
import { maskMargin, maskSecrets, secretsOf } from "../../../apps/agent/src/core/log-mask.ts";
import { parseNotice } from "../../../apps/agent/src/exec/launcher-notice.ts";
import { parsePsLine } from "../../../apps/agent/src/exec/process-table-ps.ts";
import { parseGpuSetting } from "../../../apps/agent/src/gpu/gpu-setting.ts";
import { parseAppRow } from "../../../apps/agent/src/gpu/parse-apps-csv.ts";
import { chooseGpuFields, parseGpuRow, parseHelpFields } from "../../../apps/agent/src/gpu/parse-gpu-csv.ts";
import { parseList, profileMemoryMib } from "../../../apps/agent/src/gpu/parse-list.ts";
import { createMigQueryParser } from "../../../apps/agent/src/gpu/parse-query-mig.ts";
import { markerIn, parseStat } from "../../../apps/agent/src/gpu/process-owner.ts";
import { explainSmi, lostBusId } from "../../../apps/agent/src/gpu/smi-problem.ts";
import { BrokenPromise, parserTarget } from "../engine/fuzz-target.ts";

const FIXTURES = new URL("../../../apps/agent/src/gpu/fixtures/", import.meta.url);
const fixture = (name: string) => Uint8Array.from(readFileSync(new URL(name, FIXTURES)));

/** The record that a supervisor leaves, its notices, and what `ps` and /proc tell. */
export const attemptRecordTarget = parserTarget({
  name: "attempt-record",
  format: "text",
  words: [
    "claim ",
    "child ",
    "exit ",
    "void .\n",
    "lost - .\n",
    " .\n",
    "started ",
    "exited ",
    "unclaimed ",
    "alone",
    "a_0123456789",
  ],
  seeds: [
    "claim b0075 12 345 12 99.25 3 .\nchild 13 .\nexit 0 100.50 .\n",
    `claim b 1 2 3 - 0 .\nchil${lostLine(5)}`,
    "started a_0123456789 12 345 12 99.25 3 13\nexited a_0123456789 0 100.50 alone\nunclaimed a_1\n",
    "12 12 S Mon Jan 1 00:00:00 2026 sh NEXUS_ATTEMPT_ID=a_1\n13 (a ) b) S 12 1 1 0 -1 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20\n",
  ],
  feed(input) {
    const text = textOf(input);
    const record = parseRecord(text);
    const again = parseRecord(text + lostLine(1));
    // Who comes later adds to what is there and changes nothing of it.
    if (record.end !== null && JSON.stringify(again.end) !== JSON.stringify(record.end))
      throw new BrokenPromise("a later line changed how an attempt ended");
    if (again.end === null) throw new BrokenPromise("a line that was added whole is not read");
    for (const line of text.split("\n")) {
      parseNotice(line, "b");
      parsePsLine(line);
      parseStat(line);
    }
    markerIn(text);
  },
});

export const nvidiaSmiTarget = parserTarget({
  name: "nvidia-smi",
  format: "text",
  words: [
    "[N/A]",
    "[GPU is lost]",
    "ERR!",
    "GPU-",
    "MIG-",
    ", ",
    '"',
    "Enabled",
    "==============NVSMI LOG==============",
    " : ",
    "MiB",
  ],
  seeds: [
    "apps-8-h100.csv",
    "apps-mig.csv",
    "gpu-1-h200.csv",
    "gpu-2-errors.csv",
    "gpu-mig.csv",
    "gpu-wsl.csv",
    "help-query-gpu.txt",
    "list-8-h100.txt",
    "list-mig.txt",
    "query-mig.txt",
    "mismatch.txt",
    "gone.txt",
    "lost.txt",
  ].map(fixture),
  feed(input) {
    const text = textOf(input);
    const fields = chooseGpuFields(parseHelpFields(text));
    const known = chooseGpuFields(
      new Set(["index", "uuid", "pci.bus_id", "count", "memory.total", "memory.free", "name"]),
    );
    const mig = createMigQueryParser();
    for (const line of text.split("\n")) {
      parseGpuRow(fields, line);
      const row = parseGpuRow(known, line);
      if (row !== null && Number.isNaN(row.memoryTotalMib))
        throw new BrokenPromise("a memory that is no number");
      parseAppRow(line);
      lostBusId(line);
      mig.line(line);
    }
    mig.take();
    explainSmi({ code: 9, lines: text.split("\n") });
    for (const { instances } of parseList(text)) {
      for (const { profile } of instances) profileMemoryMib(profile);
    }
  },
});

export const gpuSettingTarget = parserTarget({
  name: "gpu-setting",
  format: "text",
  bytesMax: 64 * 1024,
  seeds: ["sim:8x80GiB", "sim:2xH100:80.5GiB", "none", "auto", "sim:64x1MiB"],
  feed(input) {
    try {
      const setting = parseGpuSetting(textOf(input));
      if (setting.kind !== "simulated") return;
      const total = gpuFactsSchema.shape.memoryTotalMib.safeParse(setting.memoryMib);
      if (!total.success || setting.count < 1) throw new BrokenPromise("a setting that no message can carry");
    } catch (cause) {
      if (!(cause instanceof NexusError) || cause.code !== "bad_request") throw cause;
    }
  },
});

const SECRETS = secretsOf(["hush-hush", "aaaa", "abababab\nsecond line\n", "ééé-secret"]);
const MARGIN = maskMargin(SECRETS);

/** However a log is cut, what is hidden is the same, and no secret is left in it. */
export const logMaskTarget = parserTarget({
  name: "log-mask",
  format: "bytes",
  bytesMax: 64 * 1024,
  words: ["hush-hush", "aaaa", "abababab", "second line", "ééé-secret", "\n"],
  seeds: ["before hush-hush after", "aaaaaaa abababababab second line\n", "ééé-secret hus"],
  feed(input) {
    const whole = maskSecrets({ bytes: input, from: 0, to: input.length, isEnd: true }, SECRETS);
    for (const secret of SECRETS) {
      if (Buffer.from(whole).includes(Buffer.from(secret)))
        throw new BrokenPromise("a secret is left in a log");
    }
    const cut = Math.floor(input.length / 3);
    const parts: Uint8Array[] = [];
    for (let at = 0; at < input.length; ) {
      const to = Math.min(input.length, at + Math.max(1, cut));
      const from = Math.max(0, at - MARGIN);
      const until = Math.min(input.length, to + MARGIN);
      const bytes = input.subarray(from, until);
      const piece = maskSecrets(
        { bytes, from: at - from, to: to - from, isEnd: until === input.length },
        SECRETS,
      );
      if (piece.length === 0) break;
      parts.push(piece);
      at += piece.length;
    }
    if (Buffer.compare(Buffer.concat(parts), whole) !== 0)
      throw new BrokenPromise("what is hidden depends on how the log was cut");
  },
});

const textOf = (input: Uint8Array): string => Buffer.from(input).toString();
