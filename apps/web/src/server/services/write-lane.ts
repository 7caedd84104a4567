import type { Lane } from "../core/lane.ts";

/**
 * One writer at a time for the rows of jobs, attempts and leases. Invariants: a piece sees all that the pieces before it
 * committed, in the database and in the live jobs. What a piece that failed has committed nobody knows: whoever owns what is
 * kept in memory hears of it before the next piece begins. Throughput comes from batches, not from overlap: what arrives
 * while a piece commits is one statement afterwards. Without it every pair of statements would need an argument about lock order.
 */
export type WriteLane = Lane;
