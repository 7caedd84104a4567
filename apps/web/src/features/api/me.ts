"use client";
import { type Role, roleAllows } from "@nexus/shared/roles";
import { useApiQuery } from "./api-context.tsx";

export function useMe() {
  return useApiQuery("me.get", undefined, { staleMs: 60_000 });
}

/** Why the signed-in person may not do what needs `needed`; null when they may (or it is not known yet: the server decides). */
export function useRoleReason(needed: Role): string | null {
  const { data } = useMe();
  if (!data || roleAllows(data.role, needed)) return null;
  return `This needs the role ${needed}; yours is ${data.role}.`;
}
