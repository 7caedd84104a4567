/**
 * `node commit-and-spawn.ts <folder> <starts>`: prints how long each start took, as JSON. A program of its own, because
 * spawn copies the page tables of whoever calls it and the bench itself grows: the floor is that of a small process.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { connect } from "../../apps/web/src/server/db/client.ts";
import { startEmbeddedPostgres } from "../../apps/web/src/server/db/embedded/start-embedded-postgres.ts";
import { openStartProbe } from "../start-probe.ts";

const [folder = ".", starts = "1"] = process.argv.slice(2);

// A server with durable settings, as `npm run up` has it.
const server = await startEmbeddedPostgres({ home: mkdtempSync(join(folder, "floor-")) });
const sql = connect(server, { max: 1, idle_timeout: 0, connection: { application_name: "bench" } });
await sql`create table floor_job (id bigint generated always as identity primary key, command text not null)`;
const probe = openStartProbe(folder);
const [program = "", ...args] = probe.argv;
const samples: number[] = [];
for (let n = 0; n < Number(starts); n += 1) {
  const running = probe.next();
  const submittedAt = performance.now();
  await sql`insert into floor_job (command) values (${probe.argv.join(" ")})`;
  const child = spawn(program, args, { stdio: "ignore" });
  samples.push((await running) - submittedAt);
  if (child.exitCode === null) await once(child, "exit");
}
await probe.close();
await sql.end();
await server.stop();
process.stdout.write(JSON.stringify(samples));
