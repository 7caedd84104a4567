import type { CloseName } from "@nexus/shared/protocol/close-codes";
import type { Database } from "../db/database.ts";
import type { Clock, EventBus, RandomBytes } from "./ports.ts";
import type { ServerIdentity } from "./server-identity.ts";

/** What enrolment and node sessions need of the world; server.ts wires it. */
export type EnrollContext = {
  db: Database;
  identity: ServerIdentity;
  clock: Clock;
  randomBytes: RandomBytes;
  events: EventBus;
  /** The addresses that nodes may dial, each `scheme://host[:port]`. The first one goes into new tokens. */
  origins(): readonly string[];
  /** SHA-256 of our certificate's public key, base64url, when it is self-signed. */
  spkiPin: string | null;
  /** The agent's package that we serve: where on each of our addresses, and its checksum. */
  agentPackage: { path: string; sha256: string } | null;
  /** A target was enrolled or changed its state: whoever caches it reads it again. */
  targetChanged(targetId: number): Promise<void>;
  disconnect(targetId: number, why: CloseName): void;
};
