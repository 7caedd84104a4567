import { NexusError } from "@nexus/shared/errors";
import { type Role, roleAllows } from "@nexus/shared/roles";
import type { Principal } from "../services/ports.ts";

/** @throws NexusError `forbidden` below it. */
export function requireRole({ role }: Pick<Principal, "role">, needed: Role): void {
  if (roleAllows(role, needed)) return;
  throw new NexusError("forbidden", {
    detail: `This needs the role ${needed}; you are ${role} of this team.`,
  });
}
