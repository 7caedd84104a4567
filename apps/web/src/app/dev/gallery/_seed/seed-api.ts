/** The whole API over seed data, in the browser: views can be looked at in every state without a control plane. */
import type { InputOf, OutputOf } from "@nexus/shared/api/contract";
import type { EnrollToken, Job } from "@nexus/shared/api/schemas";
import { NexusError } from "@nexus/shared/errors";
import type { Api, MutationName, QueryName, SubscriptionName } from "../../../../features/api/api.ts";
import type { Connection } from "../../../../features/api/live-socket.ts";
import { seedFleet, stepFleet } from "./seed-fleet.ts";
import { SEED_USERS, seedEvents, seedJobs, seedSamples } from "./seed-jobs.ts";
import { createSeedLog } from "./seed-log.ts";
import { seedHostKeys, seedSshRun, seedWays } from "./seed-ssh.ts";

/** `live` all is well; `empty` a new team; `loading` no answer yet; `error` refusals; `stale` the socket is lost. */
export const MOODS = ["live", "empty", "loading", "error", "stale"] as const;
export type Mood = (typeof MOODS)[number];

const TICK_MS = 1000;

export function createSeedApi(mood: Mood): Api {
  const nowMs = Date.now();
  let fleet = mood === "empty" ? [] : seedFleet(nowMs);
  let jobs = mood === "empty" ? [] : seedJobs(nowMs);
  const whole = createSeedLog(false);
  const gappy = createSeedLog(true);
  const logOf = (job: string) => (job === "j_9d3w8r2vyb" ? gappy : whole);
  const tokens: EnrollToken[] = [];
  const timers = new Set<ReturnType<typeof setInterval>>();
  const connection: Connection = {
    lostSinceMs: mood === "stale" ? nowMs - 42_000 : null,
    wasLive: true,
    signedOut: false,
  };

  const counts = () => {
    const active = jobs.filter(({ state }) =>
      ["assigned", "starting", "running", "unreachable"].includes(state),
    );
    return { queued: jobs.filter(({ state }) => state === "queued").length, running: active.length };
  };
  const jobOf = (id: string): Job => {
    const found = jobs.find((job) => job.id === id) ?? jobs[0];
    if (!found) throw new NexusError("not_found", { detail: `There is no job ${id}.` });
    return found;
  };

  type Queries = { [P in QueryName]?: (input: InputOf<P>) => OutputOf<P> };
  const queries: Queries = {
    "me.get": () => ({
      user: { id: "u_alice", name: "alice", email: "alice@lab.example" },
      team: { id: "tm_1", name: "lab" },
      role: "owner",
      teams: [{ id: "tm_1", name: "lab", role: "owner" }],
      server: {
        version: "0.1.0",
        url: "https://nexus.lab.example",
        fingerprint: "SHA256:9uX3kq0r1dNfO7mY2vB5wT8zE4aC6hJ1",
      },
    }),
    "jobs.get": ({ job }) => jobOf(job),
    "jobs.list": (input) => listJobs(jobs, input),
    "jobs.events": ({ job }) => seedEvents(jobOf(job)),
    "jobs.samples": ({ job }) => ({ points: seedSamples(jobOf(job), Date.now()) }),
    "jobs.preview": (spec) => ({
      startsNow: (spec.gpus ?? 1) <= 2,
      target: (spec.gpus ?? 1) <= 2 ? "ada" : null,
      gpus: spec.gpus ?? 1,
      canEverRun: (spec.gpus ?? 1) <= 8,
      sentence:
        (spec.gpus ?? 1) <= 2
          ? "ada has 2 GPUs with 80 GiB free."
          : `needs ${spec.gpus} GPUs; ada has 2 of 8 free; held by alice's job j_7k2m9x4tqa (ends in about 12 min).`,
    }),
    "queues.list": () => [
      {
        ...{ name: "default", priority: 0, paused: false, queued: 3, running: 4, gpusHeld: 6 },
        ...{ runningMax: null, gpusMax: null, userRunningMax: null, userGpusMax: null },
        selector: { labels: {} as Record<string, string>, targets: [] as string[] },
        targetsSelected: 3,
        waitsLongest: { job: "j_7k2m9x4tqa", user: "alice", sinceMs: nowMs - 4_200_000 },
      },
      {
        ...{ name: "batch", priority: -10, paused: true, queued: 0, running: 1, gpusHeld: 4 },
        ...{ runningMax: 4, gpusMax: 4, userRunningMax: null, userGpusMax: 2 },
        selector: { labels: { role: "train" }, targets: ["ada"] },
        targetsSelected: 1,
        waitsLongest: null,
      },
    ],
    "members.list": () =>
      SEED_USERS.map(({ id, name }, index) => ({
        userId: id,
        name,
        email: `${name}@lab.example`,
        role: (["owner", "admin", "member", "viewer"] as const)[index] ?? "member",
        joinedAtMs: nowMs - index * 86_400_000,
      })),
    "apiKeys.list": () =>
      mood === "empty"
        ? []
        : [
            {
              id: "k1",
              name: "laptop",
              role: null,
              createdAtMs: nowMs - 8 * 86_400_000,
              lastUsedAtMs: nowMs - 40_000,
              expiresAtMs: null,
            },
            {
              id: "k2",
              name: "CI",
              role: "viewer",
              createdAtMs: nowMs - 86_400_000,
              lastUsedAtMs: null,
              expiresAtMs: nowMs + 82 * 86_400_000,
            },
          ],
    "enrollTokens.list": () => tokens,
    "ssh.ways": () => (mood === "empty" ? [] : seedWays(Date.now())),
    "ssh.hostKeys": () => (mood === "empty" ? [] : seedHostKeys(Date.now())),
    "audit.list": () => [
      { atMs: nowMs - 60_000, actor: "alice", action: "job.cancel", subject: "j_9d3w8r2vyb", detail: "" },
      { atMs: nowMs - 900_000, actor: "bjarne", action: "target.cordon", subject: "playground", detail: "" },
      {
        atMs: nowMs - 9e6,
        actor: "alice",
        action: "member.add",
        subject: "dana",
        detail: "as viewer, by a one-time link",
      },
    ],
  };

  type Mutations = { [P in MutationName]?: (input: InputOf<P>) => OutputOf<P> };
  const mutations: Mutations = {
    "jobs.cancel": ({ jobs: ids }) => {
      jobs = jobs.map((job) => (ids.includes(job.id) ? { ...job, cancelRequested: true } : job));
      return { results: ids.map((job) => ({ job, ok: true, message: "told to end" })) };
    },
    "jobs.submit": () => ({ jobs: [jobOf("j_5a7s2d9f4g")] }),
    "enrollTokens.create": (input) => {
      const enrollToken: EnrollToken = {
        id: "et_1",
        name: input.name ?? null,
        labels: input.labels ?? {},
        uses: 0,
        usesMax: input.usesMax ?? 1,
        state: "live",
        createdBy: "alice",
        createdAtMs: Date.now(),
        expiresAtMs: Date.now() + (input.ttlMs ?? 1_800_000),
        targets: [],
      };
      tokens.unshift(enrollToken);
      const secret = "nxe1_https.nexus-lab-example_9uX3kq0r1dNfO7mY2vB5wT8zE4aC6hJ1_s7Qe5Rk2Lw8";
      return { enrollToken, secret, command: `npx nexus-agent enroll ${secret}`, fromHere: null };
    },
    "ssh.start": () => ({ id: seedSshRun(Date.now()).id }),
    "apiKeys.create": ({ name, role = null }) => ({
      apiKey: { id: "k3", name, role, createdAtMs: Date.now(), lastUsedAtMs: null, expiresAtMs: null },
      secret: "nxk_4hQ9sT2vW7yB3nM8kL5jF1dR6gP0zX",
    }),
  };

  async function answer<T>(handler: (() => T) | undefined): Promise<T> {
    if (mood === "loading") return new Promise<T>(() => undefined);
    if (mood === "error") throw new NexusError("unavailable");
    if (!handler) throw new NexusError("internal", { detail: "The gallery has no answer to this." });
    return handler();
  }

  function every(run: () => void): () => void {
    const timer = setInterval(run, TICK_MS);
    timers.add(timer);
    return () => clearInterval(timer);
  }

  type Subscriptions = {
    [P in SubscriptionName]: (input: InputOf<P>, send: (message: OutputOf<P>) => void) => () => void;
  };
  const subscriptions: Subscriptions = {
    "fleet.watch": (_input, send) => {
      const rest = () => ({ removed: [], ...counts(), nowMs: Date.now() });
      send({ snapshot: true, targets: fleet, ...rest() });
      if (mood === "stale") return () => undefined;
      return every(() => {
        const changed = stepFleet(fleet, Date.now());
        fleet = fleet.map((target) => changed.find(({ id }) => id === target.id) ?? target);
        send({ snapshot: false, targets: changed, ...rest() });
      });
    },
    "ssh.watch": (_input, send) => {
      send(seedSshRun(Date.now()));
      return () => undefined;
    },
    "jobs.watch": (_input, send) => {
      send({ changed: [], counts: counts(), nowMs: Date.now() });
      return () => undefined;
    },
    "jobs.follow": ({ job }, send) => {
      const tell = () => send({ job: jobOf(job), logBytes: logOf(job).size(), logEnded: false });
      tell();
      return every(() => {
        logOf(job).grow();
        tell();
      });
    },
  };

  return {
    query: (name, input) => answer(bind(queries[name], input)),
    mutate: (name, input) => answer(bind(mutations[name], input)),
    subscribe: (name, input, handlers) => {
      if (mood === "loading") return () => undefined;
      if (mood === "error") {
        handlers.refused?.(new NexusError("unavailable"));
        return () => undefined;
      }
      return subscriptions[name](input, handlers.data);
    },
    connection: { subscribe: () => () => undefined, state: () => connection },
    reconnect: () => undefined,
    logSource: (job) => logOf(job).source,
    logHref: () => "#",
    auth: {
      state: async () => ({ hasOwner: mood !== "empty", signedIn: false }),
      signIn: () =>
        Promise.reject(new NexusError("unauthenticated", { detail: "E-mail or password is wrong." })),
      openLink: () =>
        Promise.reject(new NexusError("unauthenticated", { detail: "This link was used already." })),
      setPassword: async () => undefined,
      signOut: async () => undefined,
    },
    close: () => {
      for (const timer of timers) clearInterval(timer);
    },
  };
}

function bind<I, O>(handler: ((input: I) => O) | undefined, input: I): (() => O) | undefined {
  return handler && (() => handler(input));
}

function listJobs(jobs: readonly Job[], input: InputOf<"jobs.list">): OutputOf<"jobs.list"> {
  const text = input.text?.toLowerCase();
  const matching = jobs.filter(
    (job) =>
      (!input.states || input.states.includes(job.state)) &&
      (!input.user || job.user.id === (input.user === "me" ? "u_alice" : input.user)) &&
      (!input.target || job.target?.name === input.target) &&
      (!text || `${job.id} ${job.name} ${job.command.join(" ")}`.toLowerCase().includes(text)),
  );
  const from = Number(input.cursor ?? 0);
  const until = from + (input.limit ?? 100);
  return {
    jobs: matching.slice(from, until),
    next: until < matching.length ? String(until) : null,
    total: matching.length,
  };
}
