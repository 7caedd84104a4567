import type {
  EnrollAnswer,
  EnrollChallenge,
  EnrollRequest,
  GoodbyeRequest,
} from "@nexus/shared/protocol/enroll-messages";
import type { EnrollContext } from "./enroll-context.ts";
import { enrollChallenge, enrollNode } from "./enroll-node.ts";
import { createEnrollToken, listEnrollTokens, revokeEnrollToken } from "./enroll-tokens.ts";
import { leaveFleet } from "./leave-fleet.ts";
import type { Principal } from "./ports.ts";
import type { ParsedInput } from "./services.ts";

export type Enrollment = ReturnType<typeof createEnrollment>;

/** Everything about machines that come and leave, for the API and for the enrolment routes. */
export function createEnrollment(ctx: EnrollContext) {
  return {
    createEnrollToken: (principal: Principal, input: ParsedInput<"enrollTokens.create">) =>
      createEnrollToken(ctx, principal, input),
    listEnrollTokens: (principal: Principal) => listEnrollTokens(ctx, principal),
    revokeEnrollToken: (principal: Principal, input: { id: string }) =>
      revokeEnrollToken(ctx, principal, input.id),
    challenge: (input: { subject: string; agentNonce: string }): EnrollChallenge =>
      enrollChallenge(ctx, input),
    enroll: (request: EnrollRequest): Promise<EnrollAnswer> => enrollNode(ctx, request),
    leave: (request: GoodbyeRequest): Promise<void> => leaveFleet(ctx, request),
  };
}
