import type { OutputOf } from "@nexus/shared/api/contract";
import type { AccessServices } from "../services/access/access-services.ts";
import type { Caller } from "../services/access/authenticator.ts";
import type { Clock, LogSearch, Principal } from "../services/ports.ts";
import type { ParsedInput, Services } from "../services/services.ts";
import type { SshService } from "../services/ssh/ssh-service.ts";
import type { ApiLimits } from "./api-limits.ts";

export type EnrollTokenServices = {
  createEnrollToken(
    principal: Principal,
    input: ParsedInput<"enrollTokens.create">,
  ): Promise<OutputOf<"enrollTokens.create">>;
  listEnrollTokens(principal: Principal): Promise<OutputOf<"enrollTokens.list">>;
  revokeEnrollToken(
    principal: Principal,
    input: ParsedInput<"enrollTokens.revoke">,
  ): Promise<OutputOf<"enrollTokens.revoke">>;
};

/** What procedures work with; the same for every request. */
export type ApiParts = {
  services: Services;
  access: AccessServices;
  enrollTokens: EnrollTokenServices;
  ssh: Omit<SshService, "close">;
  server: OutputOf<"me.get">["server"];
  health: () => Promise<OutputOf<"server.health">>;
  /** Where the first byte of an attempt's log lies that came at that time or later. */
  logOffsetAt: (attempt: string, atMs: number) => Promise<number>;
  logSearch: LogSearch;
  limits: ApiLimits;
  clock: Clock;
  /** A bug of ours that a caller met. `id` is what they were told. */
  onInternalError: (id: string, cause: unknown) => void;
};

/** One request, or one socket with all its calls. */
export type ApiContext = ApiParts & {
  /** Looks up who acts, on every call: a socket outlives roles, memberships and keys. */
  authenticate(): Promise<Caller>;
  /** False when what the caller sends could be read on its way here. */
  isConfidential: boolean;
  /** Bytes that the viewer has not taken yet; 0 where the transport has its own back-pressure. */
  bufferedBytes(): number;
};
