import { describe, expect, it } from "vitest";
import { planService, type ServiceTerms, systemdQuote } from "./service-plan.ts";

const terms: ServiceTerms = {
  kind: "systemd-user",
  user: "ada",
  userHome: "/home/ada",
  uid: 1000,
  nodePath: "/opt/my node/bin/node",
  scriptPath: "/home/ada/.nexus-agent/service/nexus-agent.js",
  agentHome: "/home/ada/.nexus-agent",
  env: { NEXUS_GPUS: "sim:8x80GiB" },
  allowRoot: false,
};

describe("service", () => {
  it("[E25] a systemd unit restarts the agent for ever, but not its jobs, and not after a final refusal", () => {
    const plan = planService(terms);
    expect(plan.file).toBe("/home/ada/.config/systemd/user/nexus-agent.service");
    for (const line of [
      'ExecStart="/opt/my node/bin/node" /home/ada/.nexus-agent/service/nexus-agent.js run',
      "Environment=NEXUS_AGENT_HOME=/home/ada/.nexus-agent",
      "Environment=NEXUS_GPUS=sim:8x80GiB",
      "KillMode=process",
      "Restart=always",
      "RestartSec=2",
      "RestartPreventExitStatus=64 66 78",
      "WantedBy=default.target",
    ]) {
      expect(plan.text.split("\n")).toContain(line);
    }
    expect(plan.text).not.toMatch(/^User=/m);
    expect(plan.hints.join("\n")).toContain("loginctl enable-linger ada");
  });

  it("[E25] a unit of the machine names its user and starts at boot", () => {
    const plan = planService({ ...terms, kind: "systemd-system" });
    expect(plan.file).toBe("/etc/systemd/system/nexus-agent.service");
    expect(plan.text).toContain("User=ada\n");
    expect(plan.text).toContain("WantedBy=multi-user.target");
    expect(plan.start.every((argv) => !argv.includes("--user"))).toBe(true);
  });

  it("[E25] launchd keeps it alive and leaves its jobs alone", () => {
    const agent = planService({ ...terms, kind: "launchd-agent", agentHome: "/Users/a & b/.nexus-agent" });
    expect(agent.file).toBe("/home/ada/Library/LaunchAgents/dev.nexus.agent.plist");
    expect(agent.text).toContain("<key>AbandonProcessGroup</key><true/>");
    expect(agent.text).toContain("<key>KeepAlive</key><true/>");
    expect(agent.text).toContain("/Users/a &amp; b/.nexus-agent");
    expect(agent.text).not.toContain("UserName");
    const daemon = planService({ ...terms, kind: "launchd-daemon" });
    expect(daemon.text).toContain("<key>UserName</key><string>ada</string>");
  });

  it("[E25] what systemd would expand or split is quoted", () => {
    expect(systemdQuote("plain/path-1.0")).toBe("plain/path-1.0");
    expect(systemdQuote('a "b" $HOME 100% \\')).toBe('"a \\"b\\" $$HOME 100%% \\\\"');
  });
});
