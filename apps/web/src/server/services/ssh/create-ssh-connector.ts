import { type Connector, createConnector } from "@nexus/ssh/connect-target";

/** The one place that dials. Programs that carry connections get what is named here of the environment. */
export function createSshConnector(options: {
  env: Readonly<Record<string, string | undefined>>;
  nowMs: () => number;
}): Connector {
  return createConnector({ programs: { env: options.env }, nowMs: options.nowMs });
}
