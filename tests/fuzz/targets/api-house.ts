/**
 * The API over a real database, with a team that has a person, a key, a target, a queue and a job. Owns all of it. What every answer is
 * held to stands here: known codes only, no fault of ours, no secret told, and a refused call leaves the database as it was.
 */
import { randomBytes } from "node:crypto";
import { ERROR_TABLE, isErrorCode } from "@nexus/shared/errors";
import { newId } from "@nexus/shared/ids";
import {
  startTestApi,
  type TestApi,
  type TestApiOptions,
} from "../../../apps/web/src/server/api/testing/test-api.ts";
import {
  addTestPerson,
  addTestTeam,
  type TestPerson,
} from "../../../apps/web/src/server/api/testing/test-people.ts";
import { insertAgentTarget } from "../../../apps/web/src/server/db/queries/insert-agent-target.ts";
import { BrokenPromise } from "../engine/fuzz-target.ts";
import type { Json } from "../engine/mutate-json.ts";
import { type ApiWords, SECRET } from "../seeds/api-inputs.ts";
import { FACTS } from "../seeds/messages.ts";

export type ApiHouse = {
  api: TestApi;
  owner: TestPerson;
  /** What the inputs call by these names stands here under its own id. */
  names: ApiWords;
  /** @throws BrokenPromise when the call was refused and left a trace. */
  judge(answer: { status: number; text: string; isChange: boolean; input: Json }): Promise<void>;
  close(): Promise<void>;
};

/** Stand-ins in kept inputs, since ids are new with every house. */
export const NAMES: ApiWords = {
  target: "$target",
  job: "$job",
  queue: "$queue",
  user: "$user",
  key: "$key",
};

export async function openApiHouse(options: TestApiOptions = {}): Promise<ApiHouse> {
  const api = await startTestApi(options);
  const teamId = await addTestTeam(api.ctx, "Lab");
  const owner = await addTestPerson(api.ctx, teamId, "owner");
  const other = await addTestPerson(api.ctx, teamId, "member");
  const target = newId("target", randomBytes);
  const targetId = await insertAgentTarget(api.ctx.db, {
    publicId: target,
    teamId,
    name: "gpu1",
    labels: {},
    facts: FACTS,
  });
  // It was made behind the back of the services.
  if (targetId !== null) await api.services.refreshTarget(targetId);
  const { jobs } = await api.call("jobs.submit", { jobs: [{ command: ["true"] }] }, owner.key);
  const { apiKey } = await api.call("apiKeys.create", { name: "other" }, owner.key);
  const names: ApiWords = {
    target,
    job: jobs[0]?.id ?? "",
    queue: "default",
    user: other.principal.userId,
    key: apiKey.id,
  };
  const told = api.problems.length;
  let state = await stateOf(api);

  return {
    api,
    owner,
    names,
    async judge({ status, text, isChange, input }) {
      const faults = api.problems
        .splice(told)
        .filter((line) => !line.startsWith("info") && !line.startsWith("debug"));
      if (faults.length > 0) throw new BrokenPromise(`a fault of ours: ${faults.join("; ")}`);
      if (status < 400) {
        if (isChange) state = await stateOf(api);
        return;
      }
      if (!isKnownRefusal(status, text)) throw new BrokenPromise(`answered ${status} ${text.slice(0, 300)}`);
      if (text.includes(SECRET) && isSecretInPlace(input))
        throw new BrokenPromise(`tells a secret: ${text.slice(0, 300)}`);
      const after = await stateOf(api);
      const before = state;
      state = after;
      if (before !== after)
        throw new BrokenPromise(`refused (${text.slice(0, 200)}) and changed ${difference(before, after)}`);
    },
    close: () => api.close(),
  };
}

/** `$job` and the like in keys and values become what they stand for in this house. */
export function named(value: Json, house: ApiHouse): Json {
  const { names, owner, api } = house;
  const words = { ...names, bearer: owner.key, cookie: owner.cookie, origin: api.origin };
  if (typeof value === "string")
    return value.replace(/\$([a-z]+)/g, (whole, word) =>
      Object.hasOwn(words, word) ? words[word as keyof typeof words] : whole,
    );
  if (Array.isArray(value)) return value.map((inner) => named(inner, house));
  if (typeof value !== "object" || value === null) return value;
  // With `__proto__` as a key like any other.
  return JSON.parse(JSON.stringify(value), (_key, inner) =>
    typeof inner === "string" ? named(inner, house) : inner,
  );
}

function isKnownRefusal(status: number, text: string): boolean {
  try {
    const answers: { error?: { data?: { nexusCode?: unknown } } }[] = [JSON.parse(text)].flat();
    const codes = answers.flatMap(({ error }) => (error === undefined ? [] : [error.data?.nexusCode]));
    const isOne =
      codes.some((code) => isErrorCode(code) && ERROR_TABLE[code].http === status) || status === 207;
    return isOne && codes.every((code) => isErrorCode(code) && code !== "internal");
  } catch {
    return false;
  }
}

const SECRET_PLACES = new Set([
  "password",
  "text",
  "passphrase",
  "TOKEN",
  "newPassword",
  "currentPassword",
  "link",
  "secret",
]);

/** A secret that a change carried into another field, a name say, may be told like any name. */
function isSecretInPlace(value: Json, key = ""): boolean {
  if (typeof value === "string") return !value.includes(SECRET) || SECRET_PLACES.has(key);
  if (typeof value !== "object" || value === null) return true;
  return Object.entries(value).every(
    ([name, inner]) => !name.includes(SECRET) && isSecretInPlace(inner, Array.isArray(value) ? key : name),
  );
}

/** What only says that somebody was here, or was not: a node that never comes is called unreachable after a while. */
const TRACES = { apikey: ["last_used_at"], target: ["state", "state_since"] };

async function stateOf(api: TestApi): Promise<string> {
  return (await api.rows(TRACES)).sort().join("\n");
}

/** Lines that are in one and not in the other. */
export function difference(before: string, after: string): string {
  const [old, now] = [new Set(before.split("\n")), new Set(after.split("\n"))];
  const lines = [
    ...[...old].filter((line) => !now.has(line)).map((line) => `- ${line}`),
    ...[...now].filter((line) => !old.has(line)).map((line) => `+ ${line}`),
  ];
  return lines.map((line) => line.slice(0, 300)).join(" ");
}
