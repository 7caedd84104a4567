/**
 * `node simulated-nodes.ts <folder> <identities.json>`: many nodes in one process, each the agent's own link and session over a
 * socket of its own, without jobs. Prints a line `<live> <ms since 1970>` whenever the number of those connected changed.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Identity } from "../../apps/agent/src/link/identity-store.ts";
import { createServerLink, type ServerLink } from "../../apps/agent/src/link/server-link.ts";
import { SIMULATED_FACTS } from "../simulated-facts.ts";

const [folder = ".", file = ""] = process.argv.slice(2);
const identities: Identity[] = JSON.parse(readFileSync(file, "utf8"));
const live = new Set<string>();
const links: ServerLink[] = [];

for (const identity of identities) {
  const home = join(folder, identity.nodeId);
  mkdirSync(home, { recursive: true });
  const link = createServerLink({
    home,
    identity,
    generation: 0,
    agentVersion: SIMULATED_FACTS.agentVersion,
    bootId: SIMULATED_FACTS.bootId,
    takeInventory: async () => ({ facts: SIMULATED_FACTS, gpus: [], attempts: [] }),
    onMessage: () => undefined,
    onState({ name }) {
      const before = live.size;
      if (name === "connected") live.add(identity.nodeId);
      else live.delete(identity.nodeId);
      if (live.size !== before) process.stdout.write(`${live.size} ${Date.now()}\n`);
    },
    pullData: async () => null,
    nowMs: () => performance.now(),
    random: Math.random,
  });
  links.push(link);
  link.start();
}

process.once("SIGTERM", () => {
  Promise.all(links.map((link) => link.stop())).then(
    () => process.exit(0),
    () => process.exit(1),
  );
});
