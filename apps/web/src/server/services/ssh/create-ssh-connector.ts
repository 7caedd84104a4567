import { type Connector, createConnector } from "@nexus/ssh/connect-target";
import { type CryptoPath, readCryptoPath } from "@nexus/ssh/crypto-path";
import { createPool, type Pool } from "@nexus/ssh/pool";

/** The one place that dials. Programs that carry connections get what is named here of the environment. */
export function createSshConnector(options: {
  env: Readonly<Record<string, string | undefined>>;
  nowMs: () => number;
}): Connector {
  return createConnector({ programs: { env: options.env }, nowMs: options.nowMs });
}

/** Each connection holds about 40 KiB; a target without an agent needs one all the time. */
const CONNECTIONS_MAX = 4096;

/** Connections that are shared and kept, whoever needs them. */
export function createSshPool(options: { connector: Connector; nowMs: () => number }): Pool {
  return createPool({ ...options, connectionsMax: CONNECTIONS_MAX });
}

/** Which code encrypts SSH connections here. */
export function sshCrypto(): CryptoPath {
  return readCryptoPath();
}
