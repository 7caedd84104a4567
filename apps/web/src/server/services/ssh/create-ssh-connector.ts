import { type Connector, createConnector } from "@nexus/ssh/connect-target";
import { readCryptoPath } from "@nexus/ssh/crypto-path";

/** The one place that dials. Programs that carry connections get what is named here of the environment. */
export function createSshConnector(options: {
  env: Readonly<Record<string, string | undefined>>;
  nowMs: () => number;
}): Connector {
  return createConnector({ programs: { env: options.env }, nowMs: options.nowMs });
}

/** Which code encrypts SSH connections here, in a sentence. */
export function sshCryptoText(): string {
  return readCryptoPath().text;
}
