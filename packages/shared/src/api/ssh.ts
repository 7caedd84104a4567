/** SSH in the API: machines to enrol, what is told meanwhile, and the keys of hosts. Secrets come in and never go out. */
import * as z from "zod";
import { SSH_HOST, SSH_HOST_CHARS_MAX, SSH_USER, SSH_USER_CHARS_MAX } from "../ssh-names.ts";
import { labelsSchema, nameSchema } from "./schemas.ts";

const SSH_HOSTS_MAX = 1000;
const TEXT_MAX = 1024 * 1024;
const KEY_MAX = 64 * 1024;

const hostName = z.string().max(SSH_HOST_CHARS_MAX).regex(SSH_HOST, "not the name or address of a host");
const userName = z.string().max(SSH_USER_CHARS_MAX).regex(SSH_USER, "not the name of a user");
const fingerprint = z
  .string()
  .regex(/^SHA256:[A-Za-z0-9+/]{43}$/, "not a fingerprint such as ssh-keygen -l prints: SHA256:…");
const port = z.int().min(1).max(65_535).default(22);

/** What may be shown to a server. Held in memory for as long as the work takes, and never stored. */
const sshCredentialsSchema = z.object({
  password: z.string().min(1).max(1024).optional(),
  keys: z
    .array(
      z.object({
        /** Where it is from, for people. */
        label: z.string().min(1).max(200),
        text: z.string().min(1).max(KEY_MAX),
        passphrase: z.string().max(1024).optional(),
        /** `…-cert.pub`: with it the system's ssh of the control plane logs in, since only that presents it. */
        certificate: z
          .string()
          .max(KEY_MAX)
          .regex(
            /^[a-z0-9@.-]+-cert-v01@openssh\.com [A-Za-z0-9+/]+=*( [^\r\n]*)?\s*$/,
            "not a certificate of a user",
          )
          .optional(),
      }),
    )
    .max(20)
    .default([]),
});

const SSH_ACTS = ["enrol", "agentless", "uninstall", "rotate-key"] as const;
export const SSH_TRANSPORTS = ["direct", "tailscale", "cloudflare"] as const;
const sshTransportSchema = z.object({
  kind: z.enum(SSH_TRANSPORTS),
  /** The machine's name in the tailnet, or that of its tunnel, where it is not `host`. */
  host: hostName.optional(),
});
export type SshTransport = z.output<typeof sshTransportSchema>;

const sshHostSchema = z
  .object({
    host: hostName,
    port,
    user: userName,
    /** Of the target, as a person chose it. */
    name: nameSchema.optional(),
    /** What a list or a configuration calls the machine: for a target that is made anew under no chosen name. */
    alias: z.string().max(SSH_HOST_CHARS_MAX).optional(),
    /** Machines on the way, the first one first. */
    jumps: z
      .array(z.object({ host: hostName, port, user: userName }))
      .max(8)
      .default([]),
    /** In the order in which they are tried. */
    transports: z
      .array(sshTransportSchema)
      .min(1)
      .max(4)
      .default([{ kind: "direct" }]),
    /** Offer weak algorithms too, for a machine that nobody can update. */
    legacy: z.boolean().default(false),
    /** Under which its key is known, when not under its address. */
    hostKeyAlias: hostName.optional(),
    /** Instead of those for all. */
    credentials: sshCredentialsSchema.optional(),
  })
  .refine(
    ({ jumps, transports }) =>
      jumps.length === 0 || transports.every(({ kind, host }) => kind === "direct" && host === undefined),
    { path: ["transports"], error: "a machine behind jump hosts is reached through them alone" },
  );
export type SshHost = z.output<typeof sshHostSchema>;
export type SshHostInput = z.input<typeof sshHostSchema>;

export const sshStartSchema = z.object({
  /**
   * `enrol` makes targets of the machines; `agentless` too, and puts nothing there but a key; `uninstall` takes the agent off them
   * and them out of the fleet; `rotate-key` puts a new key of ours in the place of the one that is kept for a target.
   */
  act: z.enum(SSH_ACTS).default("enrol"),
  hosts: z.array(sshHostSchema).max(SSH_HOSTS_MAX).default([]),
  /** `uninstall` and `rotate-key` only: targets whose way is known here. */
  targets: z.array(z.string().min(1).max(80)).max(SSH_HOSTS_MAX).default([]),
  credentials: sshCredentialsSchema.default({ keys: [] }),
  cloudflareToken: z
    .object({ id: z.string().min(1).max(500), secret: z.string().min(1).max(500) })
    .optional(),
  /** The person's own known_hosts: hosts that it knows are not asked about. */
  knownHosts: z.string().max(TEXT_MAX).default(""),
  /** Fingerprints that need no question. */
  acceptHostKeys: z.array(fingerprint).max(SSH_HOSTS_MAX).default([]),
  /** Whether somebody is there to be asked about the key of a new host. */
  canAsk: z.boolean().default(true),
  labels: labelsSchema.default({}),
  /** Let jobs run as root, where the log-in is root's. */
  allowRoot: z.boolean().default(false),
  /** Make a key for each machine and keep it here, sealed: for reaching it without its agent. */
  keepKey: z.boolean().default(false),
  /** Take a machine over that belongs to another control plane. */
  replaceIdentity: z.boolean().default(false),
  /** Bring a Node along also where the machine has one. */
  bringNode: z.boolean().default(false),
  /** `NEXUS_GPUS` of the agent: what it takes for GPUs. */
  gpus: z
    .string()
    .max(100)
    .regex(/^[A-Za-z0-9:,.]+$/)
    .optional(),
  /** How many machines at once. */
  parallel: z.int().min(1).max(64).default(8),
});

export const SSH_STEPS = [
  "connect",
  "preflight",
  "copy",
  "enrol",
  "service",
  "key",
  "online",
  "uninstall",
] as const;
export type SshStep = (typeof SSH_STEPS)[number];

export const sshLineSchema = z.object({
  /** Counts up through the run; the reader asks for what comes after. */
  seq: z.int(),
  host: z.int(),
  atMs: z.number(),
  step: z.enum(SSH_STEPS),
  /** skip: it was done already. fix: what a person can do about the line before. */
  level: z.enum(["info", "done", "skip", "warn", "fix", "error"]),
  text: z.string(),
});
export type SshLine = z.infer<typeof sshLineSchema>;

export const sshRunHostSchema = z.object({
  index: z.int(),
  /** `user@host:port`. */
  address: z.string(),
  state: z.enum(["waiting", "working", "asking", "done", "failed", "cancelled"]),
  step: z.enum(SSH_STEPS).nullable(),
  /** The key of a new host, for a person to confirm. */
  question: z.object({ name: z.string(), type: z.string(), fingerprint: z.string() }).nullable(),
  target: z.object({ id: z.string(), name: z.string() }).nullable(),
  /** How it ended, in a sentence. */
  message: z.string().nullable(),
});
export type SshRunHost = z.infer<typeof sshRunHostSchema>;

export const sshRunSchema = z.object({
  id: z.string(),
  act: z.enum(SSH_ACTS),
  ended: z.boolean(),
  hosts: z.array(sshRunHostSchema),
  /** After the asked-for place, in order. */
  lines: z.array(sshLineSchema),
  startedBy: z.string(),
  startedAtMs: z.number(),
});
export type SshRun = z.infer<typeof sshRunSchema>;

export const sshReadHostsSchema = z.object({
  text: z.string().max(TEXT_MAX),
  format: z.enum(["auto", "list", "ansible"]).default("auto"),
});

export const sshFoundHostSchema = z.object({
  alias: z.string(),
  host: z.string(),
  port: z.int().nullable(),
  user: z.string().nullable(),
  identityFile: z.string().nullable(),
  jump: z.string().nullable(),
  name: z.string().nullable(),
});

const keySchema = z.object({ type: z.string(), fingerprint: z.string() });

/** What is known of one transport to one machine since the control plane started. */
const transportHealthSchema = z.object({
  /** Its kind and the address that it leads to, such as `direct 10.0.0.5:22`. */
  transport: z.string(),
  /** resting: failed three times in a row and is left out until `nextTryAtMs`, unless nothing else is left. */
  state: z.enum(["untried", "works", "failing", "resting", "refused"]),
  consecutiveFailures: z.int(),
  /** Of all attempts, 0 to 1; null when there was none. */
  successRate: z.number().nullable(),
  /** From start to logged in, a moving average. */
  latencyMs: z.number().nullable(),
  lastSuccessAtMs: z.number().nullable(),
  lastFailureAtMs: z.number().nullable(),
  /** Why the last attempt failed; null when it did not. */
  lastError: z.string().nullable(),
  nextTryAtMs: z.number().nullable(),
});
export type SshTransportHealth = z.infer<typeof transportHealthSchema>;

/** How one target is reached over SSH. */
export const sshWaySchema = z.object({
  target: z.object({ id: z.string(), name: z.string(), kind: z.enum(["agent", "ssh"]) }),
  /** `user@host:port`, with the machines on the way before it. */
  way: z.string(),
  /** Made for this target and kept sealed; null where none was wanted: then nobody is let in without a key of theirs. */
  key: keySchema.nullable(),
  /** In the order in which they are tried. */
  transports: z.array(transportHealthSchema),
  /** The transport of the connection by which a target without an agent is served at the moment. */
  servedOver: z.string().nullable(),
  /** Open now besides, shared by whoever needs this machine. */
  connections: z.array(
    z.object({
      transport: z.string(),
      channels: z.int(),
      channelsMax: z.int(),
      isDraining: z.boolean(),
    }),
  ),
});
export type SshWay = z.infer<typeof sshWaySchema>;

/** What a target without an agent cannot do, where people see what they add. */
export const AGENTLESS_LIMITS = [
  "While the control plane does not reach it, no job begins, none is ended at its deadline, and no log grows here.",
  "Values of variables that the log shows are not hidden in it, and port-forward leads to the machine itself alone.",
  "Jobs have no cgroup of their own: a process that clears its environment is not ended with its job. GPUs other than NVIDIA's are not seen.",
] as const;

export const sshHostKeySchema = z.object({
  name: z.string(),
  known: z.array(keySchema),
  revoked: z.array(keySchema),
  /** Shown instead of a known one, and refused. */
  refused: keySchema.extend({ atMs: z.number() }).nullable(),
});
export type SshHostKey = z.infer<typeof sshHostKeySchema>;
