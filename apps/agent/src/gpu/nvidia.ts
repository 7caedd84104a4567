/**
 * The NVIDIA driver: a resident `nvidia-smi --query-gpu` loop, a resident `--query-compute-apps` loop and, beside cards in
 * MIG mode, a resident `-q` loop; one process each, never one per sample.
 *
 * Owns the loops, what is known of the devices and the last sample.
 * Invariants: devices are keyed by UUID and never forgotten; the last sample stays until a newer one replaces it, and its
 * age tells; nothing here rejects or throws because of a device, `problem` says it.
 * Refuses to guess: a value that the driver does not tell is null.
 */
import { type GpuDriver, isStale } from "./driver.ts";
import { createFresh } from "./fresh.ts";
import { createListeners } from "./listeners.ts";
import * as smi from "./nvidia-command.ts";
import { type NvidiaLoopBase, startNvidiaLoop } from "./nvidia-loop.ts";
import { instancesIn, isListed, startNvidiaMig } from "./nvidia-mig.ts";
import { type NvidiaProcesses, startNvidiaProcesses } from "./nvidia-processes.ts";
import { type KnownGpu, learnGpus, type NvidiaView, nvidiaView, type OwnedProcess } from "./nvidia-view.ts";
import { type GpuRow, parseGpuRow } from "./parse-gpu-csv.ts";
import type { ListedGpu } from "./parse-list.ts";
import type { MigRound } from "./parse-query-mig.ts";
import type { ProcessOwners } from "./process-owner.ts";
import { createRound } from "./round.ts";

export type NvidiaOptions = Omit<NvidiaLoopBase, "onLost"> & {
  owners: ProcessOwners;
  nowMs: () => number;
  gpuIntervalMs: number;
  processIntervalMs: number;
};

/** A start that says nothing for this long is not waited for; the driver goes on trying by itself. */
const FIRST_NEWS_MS = 5_000;
/** A device that answers slowly may hold up a round, which is then short of rows, but not longer than this. */
const ROUND_QUIET_MS_MAX = 1_000;

/** Resolves with the first sample or the first problem. */
export async function createNvidiaDriver(options: NvidiaOptions): Promise<GpuDriver> {
  const listeners = createListeners();
  const lost = new Set<string>();
  let fields: string[] | null = null;
  let cudaVersion: string | null = null;
  let driverVersion: string | null = null;
  let listed: ListedGpu[] = [];
  let known: KnownGpu[] = [];
  let rows: GpuRow[] = [];
  let owned: OwnedProcess[] = [];
  let mig: MigRound | null = null;
  let askedAbout = "";
  let view: NvidiaView = { facts: [], samples: [], faults: [] };
  let completeAtMs: number | null = null;
  let gpuProblem: string | null = null;
  let processProblem: string | null = null;
  let closed = false;
  let processes: NvidiaProcesses | null = null;
  let migLoop: { close(): Promise<void> } | null = null;

  // One after the other, so that an older answer cannot replace a newer one.
  const relist = createFresh(takeList);
  const base: NvidiaLoopBase = { ...options, onLost: (busId) => lost.add(busId) };
  const round = createRound<GpuRow>({
    onRound: (whole) => {
      resident.settled();
      takeGpus(whole);
    },
    quietMs: Math.min(ROUND_QUIET_MS_MAX, options.gpuIntervalMs / 2),
    onRepeat: "end",
  });
  const resident = startNvidiaLoop(base, {
    intervalMs: options.gpuIntervalMs,
    mayBeQuiet: false,
    prepare: async () => smi.loop(smi.gpuQuery(await probe(), await ids()), options.gpuIntervalMs),
    onLine: (line) => {
      const row = fields === null ? null : parseGpuRow(fields, line);
      if (row === null) return false;
      // The driver counts devices that are not asked for, too.
      const expected = lost.size > 0 ? null : row.count;
      round.add(row.uuid ?? `${row.index} ${row.busId}`, row, expected);
      return true;
    },
    onProblem: (reason) => {
      gpuProblem = reason ?? gpuProblem;
      listeners.call();
    },
  });

  await firstNews();
  return {
    kind: "nvidia",
    list: () => view.facts,
    sample: () => {
      if (completeAtMs === null) return null;
      const ageMs = Math.max(0, options.nowMs() - completeAtMs);
      return { ageMs, stale: isStale(ageMs, options.gpuIntervalMs), gpus: view.samples };
    },
    problem: () => gpuProblem ?? processProblem ?? (view.faults.join("; ") || null),
    driverVersion: () =>
      cudaVersion === null || driverVersion === null
        ? driverVersion
        : `${driverVersion} (CUDA ${cudaVersion})`,
    onSample: listeners.add,
    refresh: createFresh(takeFresh),
    setHolders: () => undefined,
    close: async () => {
      closed = true;
      listeners.clear();
      round.close();
      await Promise.all([resident.close(), processes?.close(), migLoop?.close()]);
    },
  };

  async function firstNews(): Promise<void> {
    await new Promise<void>((resolve) => {
      const unsubscribe = listeners.add(done);
      const timer = setTimeout(done, FIRST_NEWS_MS);
      function done(): void {
        clearTimeout(timer);
        unsubscribe();
        resolve();
      }
    });
  }

  /** What the loop needs to know before it starts. The fields are asked once, the devices at each start. */
  async function probe(): Promise<string[]> {
    if (fields === null) {
      const answer = await smi.askFields(options.command);
      if (!answer.ok) {
        gpuProblem = answer.problem.reason;
        throw new Error(answer.problem.reason);
      }
      fields = answer.value;
      cudaVersion = await smi.askCudaVersion(options.command);
    }
    await relist();
    return fields;
  }

  async function takeList(): Promise<void> {
    const answer = await smi.askList(options.command);
    for (const busId of answer.lostBusIds) lost.add(busId);
    if (answer.gpus.length > 0) listed = answer.gpus;
  }

  /** Bus ids to ask, once one is lost; empty for all. */
  async function ids(): Promise<string[]> {
    return lost.size === 0 ? [] : await smi.survivingBusIds(options.procRoot, lost);
  }

  function takeGpus(whole: GpuRow[]): void {
    if (closed) return;
    rows = whole;
    gpuProblem = null;
    completeAtMs = options.nowMs();
    for (const row of whole) {
      if (row.busId !== null && row.fault === null) lost.delete(row.busId);
      driverVersion = row.driverVersion ?? driverVersion;
    }
    rebuild();
    processes ??= startNvidiaProcesses({
      ...base,
      owners: options.owners,
      intervalMs: options.processIntervalMs,
      ids,
      onProcesses: (found) => {
        owned = found;
        processProblem = null;
        rebuild();
      },
      onProblem: (reason) => {
        processProblem = reason === null ? null : `processes on GPUs are not known: ${reason}`;
        listeners.call();
      },
    });
    if (known.some(({ migEnabled }) => migEnabled)) {
      migLoop ??= startNvidiaMig({ ...base, intervalMs: options.processIntervalMs, onRound: takeMig });
    }
  }

  function takeMig(whole: MigRound): void {
    if (closed) return;
    mig = whole;
    rebuild();
    if (isListed(whole, known, listed)) return;
    // Once for what both say now; where they go on to differ, asking again would not help.
    const difference = `${instancesIn(whole)} ${JSON.stringify(listed)}`;
    if (difference === askedAbout) return;
    askedAbout = difference;
    void relist().then(rebuild);
  }

  function rebuild(): void {
    known = learnGpus(known, rows, listed);
    view = nvidiaView({ known, rows, listed, lostBusIds: lost, mig, processes: owned });
    listeners.call();
  }

  async function takeFresh(): Promise<void> {
    if (fields === null || closed) return;
    const asked = smi.askGpus(options.command, fields, await ids());
    const [gpus] = await Promise.all([asked, processes?.refresh()]);
    if (gpus.ok) takeGpus(gpus.value);
  }
}
