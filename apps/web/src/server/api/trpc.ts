/**
 * Builds every procedure from its line of the contract: kind, least role, input and output come from there and nowhere else.
 * A procedure without a line cannot be written, and a line's role cannot be forgotten.
 */
import { contract, type InputOf, type OutputOf, type ProcedureName } from "@nexus/shared/api/contract";
import { ERROR_TABLE } from "@nexus/shared/errors";
import type { Role } from "@nexus/shared/roles";
import {
  type AnyTRPCProcedure,
  initTRPC,
  type TRPCMutationProcedure,
  type TRPCQueryProcedure,
  type TRPCSubscriptionProcedure,
} from "@trpc/server";
import type * as z from "zod";
import type { Caller } from "../services/access/authenticator.ts";
import { isCleanText } from "../services/clean-text.ts";
import type { Principal } from "../services/ports.ts";
import type { ParsedInput } from "../services/services.ts";
import type { ApiContext } from "./context.ts";
import { errorData, toTrpcError } from "./refusal.ts";
import { requireRole } from "./require-role.ts";
import { untilRefused } from "./until-refused.ts";

const t = initTRPC.context<ApiContext>().create({
  // Stacks never leave the server, whatever NODE_ENV says.
  isDev: false,
  errorFormatter: ({ shape, error }) => ({
    code: shape.code,
    message: error.message,
    // The number above stands for several statuses; without this one tRPC would take the first of them.
    data: { ...errorData(error), httpStatus: ERROR_TABLE[errorData(error).nexusCode].http },
  }),
});

export const { router } = t;

type Kind<P extends ProcedureName> = (typeof contract)[P]["kind"];
type Definition<P extends ProcedureName> = { input: InputOf<P>; output: OutputOf<P>; meta: object };

export type ProcedureOf<P extends ProcedureName> =
  Kind<P> extends "query"
    ? TRPCQueryProcedure<Definition<P>>
    : Kind<P> extends "mutation"
      ? TRPCMutationProcedure<Definition<P>>
      : TRPCSubscriptionProcedure<{
          input: InputOf<P>;
          output: AsyncIterable<OutputOf<P>, void, unknown>;
          meta: object;
        }>;

export type Call<P extends ProcedureName> = {
  input: ParsedInput<P>;
  principal: Principal;
  ctx: ApiContext;
  /** The caller went away, or lost the right to go on. */
  signal: AbortSignal;
};

type Result<P extends ProcedureName> =
  Kind<P> extends "subscription" ? AsyncIterable<OutputOf<P>> : OutputOf<P> | Promise<OutputOf<P>>;

export function procedure<P extends ProcedureName>(
  name: P,
  handle: (call: Call<P>) => Result<P>,
): ProcedureOf<P>;
/** Within, the line of the contract is data; its types are promised to the caller by the signature above. */
export function procedure(name: ProcedureName, handle: (call: never) => unknown): AnyTRPCProcedure {
  const { kind, role, input: inputSchema, output: outputSchema }: Line = contract[name];
  const builder = t.procedure
    .use(async ({ ctx, next }) => {
      const result = await next();
      if (result.ok) return result;
      throw toTrpcError(result.error, ctx);
    })
    .use(async ({ ctx, next }) => {
      const caller = await ctx.authenticate();
      requireRole(caller.principal, role);
      const leave = ctx.limits.calls.enter(caller.principal.userId);
      try {
        return await next({ ctx: { caller } });
      } finally {
        leave();
      }
    })
    .input(inputSchema.superRefine(refuseUnstorable));
  const never = new AbortController().signal;
  const open = (ctx: CallerContext, input: unknown, signal: AbortSignal) =>
    handle({ input, principal: ctx.caller.principal, ctx, signal } as never);

  if (kind === "subscription") {
    return builder.subscription(({ ctx, input, signal = never }) =>
      untilRefused({
        enter: () => ctx.limits.streams.enter(ctx.caller.principal.userId),
        open: (ended) => open(ctx, input, ended) as AsyncIterable<unknown>,
        check: async () => requireRole((await ctx.authenticate()).principal, role),
        onAccessChange: (listener) =>
          ctx.services.events.on("access", ({ userId }) => {
            if (userId === ctx.caller.principal.userId) listener();
          }),
        parse: (value) => outputSchema.parse(value),
        toError: (cause) => toTrpcError(cause, ctx),
        signal,
      }),
    );
  }
  const checked = builder.output(outputSchema);
  const resolve = async ({ ctx, input, signal = never }: Resolving) => await open(ctx, input, signal);
  return kind === "query" ? checked.query(resolve) : checked.mutation(resolve);
}

type Line = { kind: string; role: Role; input: z.ZodType; output: z.ZodType };
type CallerContext = ApiContext & { caller: Caller };
type Resolving = { ctx: CallerContext; input: unknown; signal?: AbortSignal | undefined };

/** Text that Postgres does not store, wherever in the input it stands: refused by name rather than failing in the midst of a call. */
function refuseUnstorable(value: unknown, issues: z.RefinementCtx, path: PropertyKey[] = []): void {
  if (typeof value === "string") {
    if (!isCleanText(value))
      issues.addIssue({
        code: "custom",
        path,
        message: "has a NUL or half a character, which cannot be stored",
      });
  } else if (typeof value === "object" && value !== null) {
    for (const [key, inner] of Object.entries(value)) {
      refuseUnstorable(key, issues, path);
      refuseUnstorable(inner, issues, [...path, Array.isArray(value) ? Number(key) : key]);
    }
  }
}
