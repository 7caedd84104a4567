import { assert } from "@nexus/shared/assert";
import { findUser } from "../../db/queries/find-user.ts";
import { listUserTeams } from "../../db/queries/list-user-teams.ts";
import type { Principal } from "../ports.ts";
import type { AccessContext } from "./access-context.ts";

export async function getMe(ctx: AccessContext, principal: Principal) {
  const [user, teams] = await Promise.all([
    findUser(ctx.db, principal.userId),
    listUserTeams(ctx.db, principal.userId),
  ]);
  const team = teams.find((candidate) => candidate.id === principal.teamId);
  assert(user && team, "a principal is a user in a team");
  return {
    user: { id: user.id, name: user.name, email: user.email },
    team: { id: team.id, name: team.name },
    role: principal.role,
    teams,
  };
}
