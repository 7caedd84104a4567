import { join } from "node:path";
import { NexusError } from "@nexus/shared/errors";
import type { CliContext } from "../cli-context.ts";
import { loginUser } from "../job-user.ts";
import type { ServiceKind, ServiceTerms } from "./service-plan.ts";

export type ServiceOptions = { system?: boolean; keepRunning?: boolean; allowRoot?: boolean };

/** Where the running bundle is copied to: npx deletes its cache, and a service must not lose its program. */
export function stableScript(agentHome: string): string {
  return join(agentHome, "service", "nexus-agent.js");
}

export function serviceTerms(context: CliContext, options: ServiceOptions): ServiceTerms {
  const me = loginUser(context.env);
  const { NEXUS_GPUS } = context.env;
  return {
    kind: options.keepRunning === true ? "keep-running" : kindOf(context.platform, options.system === true),
    user: me.username,
    userHome: me.homedir,
    uid: context.uid ?? 0,
    nodePath: context.nodePath,
    scriptPath: stableScript(context.home),
    agentHome: context.home,
    env: NEXUS_GPUS === undefined || NEXUS_GPUS === "" ? {} : { NEXUS_GPUS },
    allowRoot: options.allowRoot === true,
  };
}

function kindOf(platform: NodeJS.Platform, isSystem: boolean): ServiceKind {
  if (platform === "linux") return isSystem ? "systemd-system" : "systemd-user";
  if (platform === "darwin") return isSystem ? "launchd-daemon" : "launchd-agent";
  throw new NexusError("bad_request", {
    detail: `There is no service for ${platform} here. Start "nexus-agent run" with whatever keeps programs running on this system.`,
  });
}
