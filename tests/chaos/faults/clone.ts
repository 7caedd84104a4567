import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Child } from "../../harness/child.ts";
import { AGENT, cleanEnv } from "../../harness/nexus.ts";
import { type Fault, inRounds } from "./fault.ts";

const REFUSED_FOR_GOOD = 78;
const REFUSED_WITHIN_MS = 60_000;

/**
 * A disk that was copied, and the copy started on another machine: with its own process table, since a copy that is refused
 * ends the attempts that it finds.
 */
export const clone: Fault = {
  name: "clone",
  what: "a second agent from a copy of a node's home: it is refused for good, and the node does not notice",
  recoveryMsMax: 3_000,
  roundMs: () => 8_000,
  needs: "namespaces",
  strike: (ground) =>
    inRounds(ground, async () => {
      const { house, stream, random } = ground;
      const node = random.pick(house.nodes);
      const home = join(house.folder, `${node.name}-copy`);
      const { agent } = node;
      cpSync(agent.home, home, { recursive: true, filter: (path) => !path.endsWith("supervisor.lock") });
      // The node goes on in a later life than its copy knows of.
      const atMs = performance.now();
      house.killAgent(node);
      const recovery = await stream.recovered([node.name], atMs);
      const copy = new Child(
        ["unshare", "--pid", "--fork", "--mount-proc", process.execPath, AGENT, "run", "--allow-root"],
        { env: cleanEnv({ NEXUS_AGENT_HOME: home, NEXUS_GPUS: "sim:4x80GiB" }) },
      );
      const limit = setTimeout(() => copy.process.kill("SIGKILL"), REFUSED_WITHIN_MS);
      const code = await copy.exit();
      clearTimeout(limit);
      rmSync(home, { recursive: true, force: true });
      if (code !== REFUSED_FOR_GOOD) {
        throw new Error(
          `the copy of ${node.name} ended with ${code} and should have with 78:\n${copy.stderr}`,
        );
      }
      return recovery;
    }),
};
