import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { connect } from "../../apps/web/src/server/db/client.ts";
import { startEmbeddedPostgres } from "../../apps/web/src/server/db/embedded/start-embedded-postgres.ts";
import type { BenchCase, BenchContext, Shared } from "../bench-case.ts";
import { openStartProbe } from "../start-probe.ts";

const STARTS = 200;

/** The least that a durable queue can do before a job runs: one committed row, then one process. */
export const commitAndSpawn: BenchCase = {
  name: "floor: durable commit + spawn",
  unit: "ms",
  async run(ctx) {
    const sql = await ctx.share("floor postgres", () => openDatabase(ctx));
    const probe = openStartProbe(ctx.folder);
    const [program = "", ...args] = probe.argv;
    const samples: number[] = [];
    for (let n = 0; n < STARTS; n += 1) {
      const running = probe.next();
      const submittedAt = performance.now();
      await sql`insert into floor_job (command) values (${probe.argv.join(" ")})`;
      const child = spawn(program, args, { stdio: "ignore" });
      samples.push((await running) - submittedAt);
      if (child.exitCode === null) await once(child, "exit");
    }
    await probe.close();
    return samples;
  },
};

type Sql = ReturnType<typeof connect>;

/** A server of its own with durable settings, as `npm run up` has it. */
async function openDatabase(ctx: BenchContext): Promise<Shared<Sql>> {
  const server = await startEmbeddedPostgres({ home: mkdtempSync(join(ctx.folder, "floor-")) });
  const sql = connect(server, { max: 1, idle_timeout: 0, connection: { application_name: "bench" } });
  await sql`create table floor_job (id bigint generated always as identity primary key, command text not null)`;
  return {
    value: sql,
    async close() {
      await sql.end();
      await server.stop();
    },
  };
}
