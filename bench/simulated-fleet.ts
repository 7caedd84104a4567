import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { newKeyPair } from "@nexus/shared/crypto/ed25519";
import type { Identity } from "../apps/agent/src/link/identity-store.ts";
import { connect } from "../apps/web/src/server/db/client.ts";
import { Child } from "../tests/harness/child.ts";
import type { Nexus } from "../tests/harness/nexus.ts";
import { until } from "../tests/harness/until.ts";
import { SIMULATED_FACTS } from "./simulated-facts.ts";

const PROCESSES = 2;
const CONNECT_LIMIT_MS = 180_000;

export type SimulatedFleet = {
  live(): number;
  /** Until all are connected, by what they say themselves. */
  allLive(): Promise<void>;
  stop(): Promise<void>;
};

/**
 * Nodes that were enrolled long ago: their keys are written into the database at once, since enrolment itself is slowed down by
 * address. @param like a node that was enrolled by its own agent, for what all of them share.
 */
export async function startSimulatedFleet(
  nexus: Nexus,
  given: { count: number; folder: string; like: Identity },
): Promise<SimulatedFleet> {
  const { count, folder, like } = given;
  const identities = Array.from({ length: count }, (_, i): Identity => {
    const number = String(i).padStart(5, "0");
    return { ...like, ...newKeyPair(), nodeId: `t_sim${number}aaaa`, name: `sim${number}` };
  });
  const socketDir = join(nexus.home, "postgres/run");
  const sql = connect({ socketDir, user: "nexus", database: "nexus" }, { max: 1 });
  const rows = identities.map(({ nodeId, name, publicKey }) => ({ nodeId, name, publicKey }));
  await sql`
    with given as (
      select * from jsonb_to_recordset(${sql.json(rows)}) as r("nodeId" text, name text, "publicKey" text)
    ), made as (
      insert into target (public_id, team_id, name, kind, state, labels, facts)
      select "nodeId", (select team_id from target where public_id = ${like.nodeId}), name, 'agent', 'connecting',
        '{}'::jsonb, ${sql.json(SIMULATED_FACTS)}
      from given returning id, public_id
    )
    insert into node_key (target_id, public_key)
    select made.id, given."publicKey" from made join given on given."nodeId" = made.public_id`;
  await sql.end();
  const share = Math.ceil(count / PROCESSES);
  const children = Array.from({ length: PROCESSES }, (_, i) => {
    const file = join(folder, `identities-${i}.json`);
    writeFileSync(file, JSON.stringify(identities.slice(i * share, (i + 1) * share)));
    return new Child([
      process.execPath,
      join(import.meta.dirname, "programs/simulated-nodes.ts"),
      folder,
      file,
    ]);
  });
  const liveIn = ({ stdout }: Child) => Number.parseInt(stdout.trimEnd().split("\n").at(-1) ?? "", 10) || 0;
  const fleet: SimulatedFleet = {
    live: () => children.reduce((sum, child) => sum + liveIn(child), 0),
    allLive: async () => {
      await until(`${count} nodes are connected`, async () => fleet.live() === count, CONNECT_LIMIT_MS);
    },
    async stop() {
      await Promise.all(children.map((child) => child.kill("SIGKILL")));
    },
  };
  return fleet;
}
