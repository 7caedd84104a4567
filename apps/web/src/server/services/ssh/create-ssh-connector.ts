import { type Connector, createConnector } from "@nexus/ssh/connect-target";
import { type CryptoPath, readCryptoPath } from "@nexus/ssh/crypto-path";

/** The one place that dials. Programs that carry connections get what is named here of the environment. */
export function createSshConnector(options: {
  env: Readonly<Record<string, string | undefined>>;
  nowMs: () => number;
}): Connector {
  return createConnector({ programs: { env: options.env }, nowMs: options.nowMs });
}

/** Which code encrypts SSH connections here. */
export function sshCrypto(): CryptoPath {
  return readCryptoPath();
}
