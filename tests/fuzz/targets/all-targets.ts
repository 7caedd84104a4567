import type { FuzzTarget } from "../engine/fuzz-target.ts";
import { agentTarget } from "./agent.ts";
import { attemptRecordTarget, gpuSettingTarget, logMaskTarget, nvidiaSmiTarget } from "./agent-files.ts";
import { apiTarget, httpTarget } from "./api.ts";
import { gatewayTarget } from "./gateway.ts";
import { handshakeTarget } from "./handshake.ts";
import { liveTarget } from "./live.ts";
import { lineSearchTarget, logViewTarget, smallTextTarget, terminalTarget } from "./log-text.ts";
import { inventoryTarget, knownHostsTarget, sshConfigTarget } from "./ssh-files.ts";
import { enrollTokenTarget, frameTarget, messageTarget } from "./wire.ts";

/** Functions that read what others wrote. */
export const PARSERS: FuzzTarget[] = [
  frameTarget,
  messageTarget,
  enrollTokenTarget,
  knownHostsTarget,
  sshConfigTarget,
  inventoryTarget,
  attemptRecordTarget,
  nvidiaSmiTarget,
  gpuSettingTarget,
  logMaskTarget,
  logViewTarget,
  terminalTarget,
  lineSearchTarget,
  smallTextTarget,
];

/** The API over a real Postgres: calls, routes, live sockets. */
export const SERVICES: FuzzTarget[] = [apiTarget, httpTarget, liveTarget];

/** The agents' door of the control plane, with a key and without. */
export const GATES: FuzzTarget[] = [gatewayTarget, handshakeTarget];

/** A real agent with jobs. */
export const AGENTS: FuzzTarget[] = [agentTarget];
