/**
 * Test support. Stand-ins for the control plane and the agent, which only write down what happens to them: how `up` starts,
 * watches and stops programs can then be seen step by step. The real ones run in tests/scenarios.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const COMMON = `
  import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
  import { createServer } from "node:http";
  import { dirname } from "node:path";
  const note = (home, text) => appendFileSync(home + "/events", text + "\\n");
  const untilStopped = (home, name) => {
    setInterval(() => {}, 1e6);
    process.on("SIGTERM", () => { note(home, name + " stopped"); process.exit(0); });
  };
`;

const SERVER = `${COMMON}
  const home = process.env.NEXUS_HOME;
  if (process.argv[2] === "sign-in-link") {
    if (existsSync(home + "/no-link")) { console.error("the command says why"); process.exit(69); }
    console.log(process.env.NEXUS_PUBLIC_URL + "/sign-in/new");
    process.exit(0);
  }
  console.log('{"level":"info","msg":"an old line"}');
  if (existsSync(home + "/refusal")) {
    console.log("the control plane says why");
    process.exit(Number(readFileSync(home + "/refusal", "utf8")));
  }
  note(home, "server " + process.pid + " for up " + process.env.NEXUS_UP);
  untilStopped(home, "server");
  const server = createServer((request, response) => {
    if (request.url === "/readyz") return response.end();
    note(home, request.url + " " + request.headers.authorization);
    response.end(JSON.stringify({ error: { message: "the server says no" } }));
  });
  server.listen(Number(process.env.NEXUS_PORT), "127.0.0.1", () => {
    const url = "http://127.0.0.1:" + server.address().port;
    const enrollToken = existsSync(home + "/enrolled") ? undefined : "a-secret-token";
    writeFileSync(home + "/cli.json", JSON.stringify({ servers: { default: { url, apiKey: "a-key" } } }));
    writeFileSync(home + "/run/draft", JSON.stringify({ url, signInLink: url + "/sign-in/once", enrollToken }));
    renameSync(home + "/run/draft", home + "/run/up.json");
  });
`;

const AGENT = `${COMMON}
  const home = dirname(process.env.NEXUS_AGENT_HOME);
  const [command, ...rest] = process.argv.slice(2);
  mkdirSync(process.env.NEXUS_AGENT_HOME, { recursive: true });
  if (command === "enroll") {
    note(home, "enroll " + rest.join(" ") + " < " + readFileSync(0, "utf8").trim());
    writeFileSync(home + "/enrolled", "");
  } else {
    const env = ["NEXUS_HOME", "DATABASE_URL", "npm_execpath", "GREETING"].map((name) => process.env[name] ?? "");
    note(home, "agent " + process.pid + " env [" + env + "] path " + process.env.PATH);
    console.log("2026-11-30T22:37:10.514Z an old line");
    if (existsSync(home + "/final")) { console.log("the agent says why"); process.exit(78); }
    untilStopped(home, "agent");
  }
`;

/** A folder that stands for the checkout. */
export function writeStandIns(root: string): { server: string; agent: string } {
  mkdirSync(root, { recursive: true });
  writeFileSync(join(root, "server.mjs"), SERVER);
  writeFileSync(join(root, "agent.mjs"), AGENT);
  return { server: "server.mjs", agent: "agent.mjs" };
}
