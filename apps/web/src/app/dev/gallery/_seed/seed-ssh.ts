import type {
  SshHostKey,
  SshLine,
  SshRun,
  SshRunHost,
  SshTransportHealth,
  SshWay,
} from "@nexus/shared/api/ssh";

/** Enrolment of four machines as it looks in the middle: one done, one asking, one copying, one that nobody reaches. */
export function seedSshRun(nowMs: number): SshRun & { snapshot: boolean } {
  const host = (index: number, address: string, rest: Partial<SshRunHost>): SshRunHost => ({
    ...{ index, address, state: "working", step: "copy", question: null, target: null, message: null },
    ...rest,
  });
  const told: [number, SshLine["step"], SshLine["level"], string][] = [
    [
      0,
      "connect",
      "done",
      "Connected: direct gpu-a.lab:22, as ada, by key SHA256:mVQ9…Zk (~/.ssh/id_ed25519).",
    ],
    [0, "preflight", "info", "Linux x86_64, ada in /home/ada"],
    [0, "preflight", "info", "Node 24.21.0 at /usr/bin/node"],
    [0, "preflight", "info", "8 NVIDIA GPUs"],
    [0, "preflight", "warn", "Without a log-in of ada, systemd ends the agent."],
    [0, "preflight", "fix", "It is tried now; else: sudo loginctl enable-linger ada"],
    [0, "copy", "done", "Copied the agent 0.1.0 (279 KiB)."],
    [0, "enrol", "done", "Enrolled as gpu-a (t_5m2k8w1x9c)."],
    [0, "service", "done", "The agent is kept running by systemd, for this user."],
    [0, "online", "done", "gpu-a is connected."],
    [2, "preflight", "info", "It has no Node: one is brought along."],
    [2, "copy", "info", "31 MiB of 47 MiB"],
    [1, "connect", "info", "gpu-b.lab has the key ssh-ed25519 SHA256:Xb0v. Nobody has confirmed it yet."],
    [3, "connect", "error", "gpu-d.lab:22 does not answer: nothing came of it within 10 s while connecting."],
  ];
  return {
    id: "sr_5a7s2d9f4g",
    act: "enrol",
    ended: false,
    hosts: [
      host(0, "ada@gpu-a.lab", {
        state: "done",
        step: null,
        target: { id: "t_5m2k8w1x9c", name: "gpu-a" },
        message: "gpu-a is connected.",
      }),
      host(1, "ada@gpu-b.lab", {
        state: "asking",
        step: "connect",
        question: {
          name: "gpu-b.lab",
          type: "ssh-ed25519",
          fingerprint: "SHA256:Xb0vqLJ3H1oYkq9yZf6cM5eW8uR2tN7aP4sD0gK1hBc",
        },
      }),
      host(2, "ada@gpu-c.lab:2222", {}),
      host(3, "root@gpu-d.lab", {
        state: "failed",
        step: "connect",
        message: "gpu-d.lab:22 does not answer: nothing came of it within 10 s while connecting.",
      }),
    ],
    lines: told.map(([of, step, level, text], at) => ({
      ...{ seq: at + 1, host: of, step, level, text },
      atMs: nowMs - (told.length - at) * 900,
    })),
    startedBy: "alice",
    startedAtMs: nowMs - 20_000,
    snapshot: true,
  };
}

export function seedHostKeys(nowMs: number): SshHostKey[] {
  const key = (fingerprint: string) => ({ type: "ssh-ed25519", fingerprint: `SHA256:${fingerprint}` });
  return [
    {
      name: "gpu-a.lab",
      known: [key("mVQ9cT2y0Jb4sWm1R8nKx5Lf3Gd7Hz6PaEoUiYvCqZk")],
      revoked: [],
      refused: null,
    },
    {
      name: "[gpu-c.lab]:2222",
      known: [key("r4Tg8Kq2Zx0Vb6Nm1Lp9Yc3Wd5Fs7Ha0Je2Uo8Ri4Bt")],
      revoked: [],
      refused: { ...key("Pz1Mx7Cv3Bn9Qw5Er0Ty2Ui6Op4As8Df1Gh3Jk5Lq9N"), atMs: nowMs - 60_000 },
    },
  ];
}

/** One that works, one whose first transport is left out, one that refuses, and one that nobody needed yet. */
export function seedWays(nowMs: number): SshWay[] {
  const health = (transport: string, rest: Partial<SshTransportHealth> = {}): SshTransportHealth => ({
    ...{ transport, state: "untried", consecutiveFailures: 0, successRate: null, latencyMs: null },
    ...{ lastSuccessAtMs: null, lastFailureAtMs: null, lastError: null, nextTryAtMs: null },
    ...rest,
  });
  const works = { state: "works", successRate: 1, latencyMs: 68, lastSuccessAtMs: nowMs - 40_000 } as const;
  const key = (fingerprint: string) => ({ type: "ssh-ed25519", fingerprint: `SHA256:${fingerprint}` });
  return [
    {
      target: { id: "t_5m2k8w1x9c", name: "gpu-a", kind: "ssh" },
      way: "ada@gpu-a.lab",
      servedOver: "direct gpu-a.lab:22",
      key: key("kV2mQ9cTy0Jb4sWm1R8nKx5Lf3Gd7Hz6PaEoUiYvCqA"),
      transports: [health("direct gpu-a.lab:22", works)],
      connections: [{ transport: "direct gpu-a.lab:22", channels: 2, channelsMax: 8, isDraining: false }],
    },
    {
      target: { id: "t_7n3l9x2y0d", name: "gpu-c", kind: "agent" },
      way: "ada@gpu-c.lab:2222",
      servedOver: null,
      key: key("Zr4Tg8Kq2x0Vb6Nm1Lp9Yc3Wd5Fs7Ha0Je2Uo8Ri4Ct"),
      transports: [
        health("tailscale gpu-c.lab:2222", {
          ...{ state: "resting", consecutiveFailures: 4, successRate: 0.2, nextTryAtMs: nowMs + 50_000 },
          ...{ lastFailureAtMs: nowMs - 10_000, lastError: "gpu-c.lab: no such host is known here." },
        }),
        health("direct gpu-c.lab:2222", { ...works, latencyMs: 104 }),
      ],
      connections: [],
    },
    {
      target: { id: "t_8p4m0y3z1e", name: "gpu-e", kind: "ssh" },
      way: "ada@bastion.lab → ada@10.0.0.5",
      servedOver: null,
      key: key("Hb6Nm1Lp9Yc3Wd5Fs7Ha0Je2Uo8Ri4CtZr4Tg8Kq2x0"),
      transports: [
        health("bastion.lab:22 → 10.0.0.5:22", {
          ...{ state: "refused", successRate: 0.5, lastFailureAtMs: nowMs - 3_000 },
          lastError: "ada@10.0.0.5 lets nobody in by what was tried: the key of gpu-e was refused.",
        }),
      ],
      connections: [],
    },
    {
      target: { id: "t_9q5n1z4a2f", name: "gpu-f", kind: "agent" },
      way: "root@gpu-f.lab",
      servedOver: null,
      key: null,
      transports: [health("direct gpu-f.lab:22")],
      connections: [],
    },
  ];
}
