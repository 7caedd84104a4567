import type { OutputOf } from "@nexus/shared/api/contract";
import type { Principal } from "../ports.ts";
import type { ParsedInput } from "../services.ts";
import type { AccessContext } from "./access-context.ts";
import { createApiKey, listApiKeys, revokeApiKey } from "./api-keys.ts";
import type { Caller } from "./authenticator.ts";
import { hasOwner } from "./bootstrap-owner.ts";
import { changePassword } from "./change-password.ts";
import { getMe } from "./get-me.ts";
import { listAudit } from "./list-audit.ts";
import { addMember, listMembers, removeMember, setMemberRole } from "./members.ts";
import { redeemSignInLink } from "./sign-in-link.ts";

/** What the API needs of accounts, members and keys. */
export type AccessServices = {
  hasOwner(): Promise<boolean>;
  redeemSignInLink(secret: string): Promise<string>;
  changePassword(
    caller: Caller,
    input: { newPassword: string; currentPassword?: string | undefined },
  ): Promise<void>;
  getMe(principal: Principal): Promise<Omit<OutputOf<"me.get">, "server">>;
  listMembers(principal: Principal): Promise<OutputOf<"members.list">>;
  addMember(principal: Principal, input: ParsedInput<"members.add">): Promise<OutputOf<"members.add">>;
  setMemberRole(
    principal: Principal,
    input: ParsedInput<"members.setRole">,
  ): Promise<OutputOf<"members.setRole">>;
  removeMember(principal: Principal, userId: string): Promise<OutputOf<"members.remove">>;
  listApiKeys(principal: Principal): Promise<OutputOf<"apiKeys.list">>;
  createApiKey(
    principal: Principal,
    input: ParsedInput<"apiKeys.create">,
  ): Promise<OutputOf<"apiKeys.create">>;
  revokeApiKey(principal: Principal, id: string): Promise<OutputOf<"apiKeys.revoke">>;
  listAudit(principal: Principal, input: ParsedInput<"audit.list">): Promise<OutputOf<"audit.list">>;
};

export function createAccessServices(ctx: AccessContext): AccessServices {
  return {
    hasOwner: () => hasOwner(ctx),
    redeemSignInLink: (secret) => redeemSignInLink(ctx, secret),
    changePassword: (caller, input) => changePassword(ctx, caller, input),
    getMe: (principal) => getMe(ctx, principal),
    listMembers: (principal) => listMembers(ctx, principal),
    addMember: (principal, input) => addMember(ctx, principal, input),
    setMemberRole: (principal, input) => setMemberRole(ctx, principal, input),
    removeMember: (principal, userId) => removeMember(ctx, principal, userId),
    listApiKeys: (principal) => listApiKeys(ctx, principal),
    createApiKey: (principal, input) => createApiKey(ctx, principal, input),
    revokeApiKey: (principal, id) => revokeApiKey(ctx, principal, id),
    listAudit: (principal, input) => listAudit(ctx, principal, input),
  };
}
