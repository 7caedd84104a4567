/** Bodies of the enrolment requests, plain HTTP and JSON. See docs/spec/enrolment.md. */
import * as z from "zod/mini";
import { gpuFactsSchema, hostFactsSchema } from "./messages.ts";

/** Facts of a machine with 1,000 GPUs fit four times over. */
export const ENROLL_BODY_BYTES_MAX = 1024 * 1024;

const base64url = z.string().check(z.regex(/^[A-Za-z0-9_-]{1,256}$/));
const publicKey = z.string().check(z.regex(/^[A-Za-z0-9_-]{43}$/));
const signature = z.string().check(z.regex(/^[A-Za-z0-9_-]{86}$/));
const idText = z.string().check(z.regex(/^[a-z]{1,3}_[0-9a-z]{1,32}$/));
const origin = z.string().check(z.maxLength(512), z.regex(/^https?:\/\/[^|\s]+$/));

export const enrollChallengeSchema = z.object({
  serverNonce: base64url,
  serverKey: publicKey,
  protocolMin: z.int(),
  protocolMax: z.int(),
  signature,
});
export type EnrollChallenge = z.infer<typeof enrollChallengeSchema>;

/** What the token's and the node's signatures cover as `subject`, beside the nonces and the key. */
export const enrollFactsSchema = z.object({
  /** The name that a person chose; null takes the token's, or the hostname. */
  name: z.nullable(z.string().check(z.maxLength(256))),
  facts: hostFactsSchema,
  gpus: z.array(gpuFactsSchema).check(z.maxLength(1024)),
});
export type EnrollFacts = z.infer<typeof enrollFactsSchema>;

export const enrollRequestSchema = z.object({
  tokenId: idText,
  serverNonce: base64url,
  agentNonce: base64url,
  origin,
  publicKey,
  /** JSON of `enrollFactsSchema`, as text, since it is hashed as it was written. */
  facts: z.string().check(z.maxLength(ENROLL_BODY_BYTES_MAX)),
  tokenSignature: signature,
  nodeSignature: signature,
});
export type EnrollRequest = z.infer<typeof enrollRequestSchema>;

export const enrollAnswerSchema = z.object({
  nodeId: idText,
  /** The target's name in the fleet. */
  name: z.string().check(z.maxLength(256)),
  team: z.string().check(z.maxLength(256)),
  signature,
});
export type EnrollAnswer = z.infer<typeof enrollAnswerSchema>;

export const goodbyeRequestSchema = z.object({
  nodeId: idText,
  serverNonce: base64url,
  agentNonce: base64url,
  origin,
  signature,
});
export type GoodbyeRequest = z.infer<typeof goodbyeRequestSchema>;

/** Every refusal of these requests. */
export const httpErrorSchema = z.object({
  error: z.object({
    code: z.string(),
    message: z.string(),
    retryAfterMs: z.optional(z.nullable(z.number())),
  }),
});
