/**
 * Seeds that failed once, and what they taught. What a seed does changes with the code that it runs, so the test that holds the
 * lesson stands beside the code that was mended; these go on looking in the same corners.
 */
export const KEPT_SEEDS: { seed: number; steps: number; agents: number; taught: string }[] = [
  {
    seed: 6,
    steps: 3_000,
    agents: 3,
    taught:
      "A journal that had broken answered the first start after that and no other: its writer ended within the call that started it, and was then taken for one under way.",
  },
  {
    seed: 56,
    steps: 3_000,
    agents: 3,
    taught:
      "A synced log was gone after a power cut: the folder that holds it had been made by another log, which had not synced yet.",
  },
  {
    seed: 30,
    steps: 3_000,
    agents: 3,
    taught:
      "A node that lost the end of a log in a power cut, after it had told the log's size, was waited for without end.",
  },
  {
    seed: 57,
    steps: 3_000,
    agents: 3,
    taught:
      "The log of a closed attempt was synced again when its node named it once more; the sync failed, the log was cut, and the node was told to forget its own copy.",
  },
  {
    seed: 5948,
    steps: 1_500,
    agents: 3,
    taught:
      "An agent whose disk was slow measured before it had read what it holds, and broke off on its own facts.",
  },
  {
    seed: 7290,
    steps: 1_500,
    agents: 3,
    taught:
      "The control plane died after it had written down a copy's machine and before what that meant: the next time the copy was taken for the machine that it was compared with, and what ran elsewhere was told as failed.",
  },
  {
    seed: 2914,
    steps: 1_500,
    agents: 3,
    taught:
      "A copy's word that a deadline had passed, without an exit status, ended an attempt whose log nobody would ever bring.",
  },
  {
    seed: 6610,
    steps: 1_500,
    agents: 3,
    taught: "A job that was cancelled while only a copy of its node was there was unreachable without end.",
  },
];
