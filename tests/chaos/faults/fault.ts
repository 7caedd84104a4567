import type { House } from "../house.ts";
import type { JobStream } from "../job-stream.ts";
import { pause } from "../pause.ts";
import type { SeededRandom } from "../seeded-random.ts";

/** Where a fault strikes. */
export type Ground = {
  house: House;
  stream: JobStream;
  random: SeededRandom;
  /** How often to strike. */
  rounds: number;
  /** Shortens what is long, for a short run; 1 is life-size. */
  scale: number;
};

export type Fault = {
  name: string;
  /** What happens, for the report's reader. */
  what: string;
  /** From the end of the trouble until jobs run and logs flow again. */
  recoveryMsMax: number;
  /** How long one round takes, about. */
  roundMs(scale: number): number;
  needs?: "mount" | "faketime" | "namespaces" | "networks";
  /** Jobs that go on writing where they found no room. */
  hasPatientJobs?: true;
  /** @returns the recovery of each round in ms. */
  strike(ground: Ground): Promise<number[]>;
};

/** Strikes at random moments, and waits each time until all is well. */
export async function inRounds(ground: Ground, round: () => Promise<number>): Promise<number[]> {
  const recoveries: number[] = [];
  for (let i = 0; i < ground.rounds; i += 1) {
    await pause(ground.random.int(300, 1_500));
    recoveries.push(await round());
  }
  return recoveries;
}

/** As `inRounds`, each time in the middle of many starts. */
export async function amongStarts(ground: Ground, round: () => Promise<number>): Promise<number[]> {
  return await inRounds(ground, async () => {
    ground.stream.burst();
    await pause(ground.random.int(0, 250));
    return await round();
  });
}

export function names(ground: Ground): string[] {
  return ground.house.nodes.map(({ name }) => name);
}
