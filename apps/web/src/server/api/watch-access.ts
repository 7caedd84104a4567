import { NexusError } from "@nexus/shared/errors";
import type { Role } from "@nexus/shared/roles";
import type { Authenticator } from "../services/access/authenticator.ts";
import type { Credentials } from "../services/access/credentials.ts";
import type { EventBus } from "../services/ports.ts";
import { requireRole } from "./require-role.ts";

/** Where another process made the change. */
const RECHECK_MS = 15_000;

export type WatchedAccess = {
  credentials: Credentials | null;
  userId: string;
  /** The least that they need. */
  role: Role;
  onLost(): void;
};

/** For a socket that outlives its upgrade: who loses their access, or the role for it, loses the socket. @returns ends the watch. */
export function watchAccess(
  events: EventBus,
  authenticator: Authenticator,
  { credentials, userId, role, onLost }: WatchedAccess,
): () => void {
  const recheck = () => {
    authenticator
      .authenticate(credentials)
      .then(({ principal }) => requireRole(principal, role))
      .catch((cause: unknown) => {
        // Only a refusal ends the socket; a database that is away does not sign people out.
        if (cause instanceof NexusError) onLost();
      });
  };
  const unlisten = events.on("access", (event) => {
    if (event.userId === userId) recheck();
  });
  const timer = setInterval(recheck, RECHECK_MS);
  return () => {
    unlisten();
    clearInterval(timer);
  };
}
