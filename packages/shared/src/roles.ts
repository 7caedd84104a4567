/** Roles of a team's members, from most to least. Each may do all that the ones after it may. */
export const ROLES = ["owner", "admin", "member", "viewer"] as const;
export type Role = (typeof ROLES)[number];

/** Whether `role` is at least `needed`. */
export function roleAllows(role: Role, needed: Role): boolean {
  return ROLES.indexOf(role) <= ROLES.indexOf(needed);
}

export function lesserRole(a: Role, b: Role): Role {
  return roleAllows(a, b) ? b : a;
}
