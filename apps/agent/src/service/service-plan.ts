/**
 * What it takes to keep the agent running, as data: which files with which text, which commands. Pure, so that `--print` shows
 * exactly what would be done. No secret is in a unit: the identity lies in the agent's home.
 */
import { join } from "node:path";
import { keepRunningScript } from "./keep-running-script.ts";

export type ServiceKind =
  | "systemd-user"
  | "systemd-system"
  | "launchd-agent"
  | "launchd-daemon"
  | "keep-running";

export type ServiceTerms = {
  kind: ServiceKind;
  /** The user that the agent and its jobs run as. */
  user: string;
  userHome: string;
  uid: number;
  nodePath: string;
  scriptPath: string;
  agentHome: string;
  /** Settings that must outlive this shell; never secrets. */
  env: Readonly<Record<string, string>>;
  allowRoot: boolean;
};

export type ServicePlan = {
  file: string;
  text: string;
  start: string[][];
  stop: string[][];
  /** What the person may still have to do. */
  hints: string[];
};

const NAME = "nexus-agent";
const LABEL = "dev.nexus.agent";
/** sysexits that the same start would only repeat: usage, no identity, revoked or cloned. */
const FINAL_EXIT_CODES = "64 66 78";

export function planService(terms: ServiceTerms): ServicePlan {
  switch (terms.kind) {
    case "systemd-user":
      return {
        file: join(terms.userHome, ".config/systemd/user", `${NAME}.service`),
        text: systemdUnit(terms),
        start: [
          ["systemctl", "--user", "daemon-reload"],
          ["systemctl", "--user", "enable", NAME],
          ["systemctl", "--user", "restart", NAME],
        ],
        stop: [["systemctl", "--user", "disable", "--now", NAME]],
        hints: [
          `See its log:              journalctl --user -u ${NAME} -f`,
          `Without a login it stops; to keep it (and its jobs) running: sudo loginctl enable-linger ${terms.user}`,
        ],
      };
    case "systemd-system":
      return {
        file: `/etc/systemd/system/${NAME}.service`,
        text: systemdUnit(terms),
        start: [
          ["systemctl", "daemon-reload"],
          ["systemctl", "enable", NAME],
          ["systemctl", "restart", NAME],
        ],
        stop: [["systemctl", "disable", "--now", NAME]],
        hints: [`See its log:              journalctl -u ${NAME} -f`],
      };
    case "launchd-agent": {
      const domain = `gui/${terms.uid}`;
      const file = join(terms.userHome, "Library/LaunchAgents", `${LABEL}.plist`);
      return {
        file,
        text: launchdPlist(terms),
        start: [["launchctl", "bootstrap", domain, file]],
        stop: [["launchctl", "bootout", `${domain}/${LABEL}`]],
        hints: [
          `See its log:              tail -f ${logPath(terms)}`,
          "It runs while you are logged in; to run it from boot on, use --system.",
        ],
      };
    }
    case "launchd-daemon": {
      const file = `/Library/LaunchDaemons/${LABEL}.plist`;
      return {
        file,
        text: launchdPlist(terms),
        start: [["launchctl", "bootstrap", "system", file]],
        stop: [["launchctl", "bootout", `system/${LABEL}`]],
        hints: [`See its log:              tail -f ${logPath(terms)}`],
      };
    }
    case "keep-running": {
      const file = join(terms.agentHome, "service", "keep-running.sh");
      const { agentHome, env } = terms;
      const script = { file, agentHome, command: command(terms), env, finalExitCodes: FINAL_EXIT_CODES };
      return {
        file,
        text: keepRunningScript(script),
        start: [["sh", file, "start"]],
        stop: [["sh", file, "stop"]],
        hints: [
          `See its log:              tail -f ${logPath(terms)}`,
          "A loop of the shell keeps it; after a reboot cron starts it again, where there is a cron.",
        ],
      };
    }
  }
}

function command(terms: ServiceTerms): string[] {
  const run = [terms.scriptPath, "run", ...(terms.allowRoot ? ["--allow-root"] : [])];
  return [terms.nodePath, ...run];
}

/** Only the agent is stopped and restarted, never its jobs: they are not the service's to kill. */
function systemdUnit(terms: ServiceTerms): string {
  const isSystem = terms.kind === "systemd-system";
  const env = Object.entries({ NEXUS_AGENT_HOME: terms.agentHome, ...terms.env });
  return [
    "[Unit]",
    "Description=Nexus agent",
    ...(isSystem ? ["Wants=network-online.target", "After=network-online.target"] : []),
    "StartLimitIntervalSec=0",
    "",
    "[Service]",
    "Type=exec",
    ...(isSystem ? [`User=${terms.user}`] : []),
    `ExecStart=${command(terms).map(systemdQuote).join(" ")}`,
    ...env.map(([name, value]) => `Environment=${systemdQuote(`${name}=${value}`)}`),
    "KillMode=process",
    "Restart=always",
    "RestartSec=2",
    `RestartPreventExitStatus=${FINAL_EXIT_CODES}`,
    "TasksMax=infinity",
    "LimitNOFILE=65536",
    "",
    "[Install]",
    `WantedBy=${isSystem ? "multi-user.target" : "default.target"}`,
    "",
  ].join("\n");
}

/** Quotes, and the two characters that systemd expands. */
export function systemdQuote(text: string): string {
  const escaped = text
    .replaceAll("\\", "\\\\")
    .replaceAll('"', '\\"')
    .replaceAll("%", "%%")
    .replaceAll("$", "$$$$");
  return /^[\w@:=,./%+-]+$/.test(escaped) ? escaped : `"${escaped}"`;
}

function launchdPlist(terms: ServiceTerms): string {
  const env = Object.entries({ NEXUS_AGENT_HOME: terms.agentHome, ...terms.env });
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">',
    '<plist version="1.0">',
    "<dict>",
    `  <key>Label</key><string>${LABEL}</string>`,
    "  <key>ProgramArguments</key>",
    `  <array>${command(terms)
      .map((word) => `<string>${xml(word)}</string>`)
      .join("")}</array>`,
    ...(terms.kind === "launchd-daemon" ? [`  <key>UserName</key><string>${xml(terms.user)}</string>`] : []),
    "  <key>EnvironmentVariables</key>",
    "  <dict>",
    ...env.map(([name, value]) => `    <key>${xml(name)}</key><string>${xml(value)}</string>`),
    "  </dict>",
    "  <key>RunAtLoad</key><true/>",
    "  <key>KeepAlive</key><true/>",
    "  <key>ThrottleInterval</key><integer>2</integer>",
    // Jobs are children in sessions of their own: launchd must leave them alone.
    "  <key>AbandonProcessGroup</key><true/>",
    `  <key>StandardErrorPath</key><string>${xml(logPath(terms))}</string>`,
    `  <key>StandardOutPath</key><string>${xml(logPath(terms))}</string>`,
    "</dict>",
    "</plist>",
    "",
  ].join("\n");
}

const logPath = (terms: ServiceTerms) => join(terms.agentHome, "agent.log");

function xml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
