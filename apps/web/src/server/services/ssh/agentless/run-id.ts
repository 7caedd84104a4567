/** A run on a machine is named after attempt and fence. */
export type RunId = { attempt: string; fence: number };

const RUN_ID = /^(a_[0-9a-z]{1,32})-(\d{1,9})$/;

export function runIdOf({ attempt, fence }: RunId): string {
  return `${attempt}-${fence}`;
}

/** Null for a run that no control plane began. */
export function readRunId(id: string): RunId | null {
  const [, attempt, fence] = RUN_ID.exec(id) ?? [];
  return attempt === undefined || fence === undefined ? null : { attempt, fence: Number(fence) };
}
