import type { InputOf, ProcedureName } from "@nexus/shared/api/contract";

/** Marks what must never come back in a refusal or a log. */
export const SECRET = "hush-4f9a1c";

export type ApiWords = { target: string; job: string; queue: string; user: string; key: string };

/** A good input of every procedure: the types make sure that a new procedure is not forgotten. */
export function apiInputs({ target, job, queue, user, key }: ApiWords): {
  [P in ProcedureName]: InputOf<P>[];
} {
  const spec = {
    command: ["sh", "-c", "echo"],
    name: "train",
    env: { TOKEN: SECRET },
    cwd: "/tmp",
    gpus: 1,
    gpuMemoryMib: 1024,
    gpuModel: "h100",
    timeoutMs: 60_000,
    graceMs: 1_000,
    target,
    labels: { rack: "b2" },
    queue,
    priority: 3,
  };
  const credentials = { password: SECRET, keys: [{ label: "a", text: SECRET, passphrase: SECRET }] };
  return {
    "me.get": [undefined],
    "server.health": [undefined],
    "fleet.list": [undefined],
    "fleet.watch": [undefined],
    "targets.get": [{ target }],
    "targets.rename": [{ target, name: "gpu9" }],
    "targets.label": [{ target, labels: { rack: "b3" } }],
    "targets.cordon": [{ target, cordoned: true, drain: false }],
    "targets.remove": [{ target: "t_0000000000", force: false }],
    "targets.blockGpu": [{ target, uuid: "GPU-1", blocked: true }],
    "targets.samples": [{ target, sinceMs: 1_700_000_000_000, untilMs: 1_800_000_000_000 }],
    "enrollTokens.create": [{ name: "gpu", labels: { a: "b" }, usesMax: 2, ttlMs: 60_000, target }, {}],
    "enrollTokens.list": [undefined],
    "enrollTokens.revoke": [{ id: "et_0000000000" }],
    "ssh.start": [
      {
        act: "enrol",
        hosts: [
          {
            host: "127.0.0.1",
            port: 1,
            user: "ada",
            name: "gpu7",
            jumps: [{ host: "127.0.0.1", port: 1, user: "ada" }],
            transports: [{ kind: "direct" }],
            hostKeyAlias: "gpu7",
            credentials,
          },
        ],
        credentials,
        knownHosts: "h ssh-ed25519 AAAA\n",
        acceptHostKeys: [`SHA256:${"x".repeat(43)}`],
        labels: {},
        gpus: "sim:1x1GiB",
        parallel: 1,
      },
    ],
    "ssh.read": [{ id: "sr_0000000000", after: 0, waitMs: 0 }],
    "ssh.watch": [{ id: "sr_0000000000" }],
    "ssh.answer": [{ id: "sr_0000000000", host: 0, fingerprint: "SHA256:x", accept: true }],
    "ssh.cancel": [{ id: "sr_0000000000" }],
    "ssh.readHosts": [
      { text: "[a]\nb[1:3] ansible_user=c\n", format: "auto" },
      { text: "u@h:1 n\n", format: "list" },
    ],
    "ssh.hostKeys": [undefined],
    "ssh.ways": [undefined],
    "ssh.replaceHostKey": [{ name: "h", old: "SHA256:x", new: "SHA256:y", reason: "reinstalled" }],
    "jobs.submit": [
      { jobs: [spec], submitKey: "submit-key-1", immediate: false },
      { jobs: [{ command: ["true"] }], immediate: true },
      { jobs: [{ command: ["true"], gpus: 0, queue }] },
    ],
    "jobs.preview": [spec],
    "jobs.get": [{ job }],
    "jobs.list": [
      { states: ["queued"], user: "me", target, queue, text: "echo", limit: 10, order: "line" },
      { limit: 1, cursor: "x", order: "newest" },
    ],
    "jobs.watch": [undefined],
    "jobs.follow": [{ job }],
    "jobs.events": [{ job }],
    "jobs.samples": [{ job }],
    "jobs.cancel": [{ jobs: ["j_0000000000"], graceMs: 5 }],
    "queues.list": [undefined],
    "queues.put": [
      {
        name: "night",
        priority: 5,
        paused: true,
        runningMax: 2,
        gpusMax: 3,
        userRunningMax: 1,
        userGpusMax: 2,
        selector: { labels: { rack: "b2" }, targets: [target] },
        only: "new",
      },
      { name: queue, runningMax: null, only: "existing" },
    ],
    "queues.remove": [{ name: "night", moveTo: queue }, { name: "day" }],
    "jobs.move": [
      { jobs: [job], queue, priority: 7 },
      { jobs: [job], top: true },
    ],
    "jobs.requeue": [{ jobs: [job] }, { jobs: [job], submitKey: "again-12345678" }],
    "members.list": [undefined],
    "members.add": [{ email: "new@example.com", name: "New", role: "viewer" }],
    "members.setRole": [{ userId: user, role: "member" }],
    "members.remove": [{ userId: "u_0000000000" }],
    "apiKeys.list": [undefined],
    "apiKeys.create": [{ name: "ci", role: "viewer", expiresInMs: 60_000 }],
    "apiKeys.revoke": [{ id: key }],
    "audit.list": [{ limit: 5, beforeMs: 1_800_000_000_000 }],
  };
}
