/**
 * A search in a job's log: what is asked (`POST /api/v1/jobs/<id>/log/search`, as JSON), and what comes back, one JSON object a
 * line: lines found in their order, how far the search is from time to time, and the end. An answer that breaks off before its end
 * was cut short.
 */
import * as z from "zod";

const PATTERN_CHARS_MAX = 1000;
export const CONTEXT_LINES_MAX = 100;

const count = z.number().int().min(0);

export const logSearchSchema = z.object({
  pattern: z.string().min(1).max(PATTERN_CHARS_MAX),
  /** The pattern is text and not an expression. */
  isFixed: z.boolean().default(false),
  ignoresCase: z.boolean().default(false),
  /** So many lines before and after each line found come with it. */
  contextLines: count.max(CONTEXT_LINES_MAX).default(0),
  /** After so many lines found the rest is counted and not sent; 0 only counts. */
  linesMax: count.max(1_000_000_000).default(1_000_000_000),
  /** Without their text, for whoever has the bytes. */
  isTextWanted: z.boolean().default(true),
  /** Where to begin: at a byte, at the last lines, or at what came in the last so many ms. */
  offset: count.optional(),
  tail: count.max(1_000_000).optional(),
  since: count.optional(),
});
export type LogSearchInput = z.input<typeof logSearchSchema>;
export type LogSearchQuery = z.output<typeof logSearchSchema>;

const foundSchema = z.object({
  type: z.literal("line"),
  /** From 1. */
  line: count,
  /** Of its first byte in the log. */
  offset: count,
  /** As it is shown: without escape sequences, and without what a carriage return let be overwritten. */
  text: z.string().optional(),
  /** The text is longer than what is given of it. */
  isCut: z.boolean().optional(),
  /** First match in the text: its start and end. Absent in lines of context. */
  at: z.tuple([count, count]).optional(),
  isContext: z.boolean().optional(),
});
export type LogLineFound = z.infer<typeof foundSchema>;

export const logSearchAnswerSchema = z.discriminatedUnion("type", [
  foundSchema,
  /** `matches` are lines that match, sent or not. */
  z.object({ type: z.literal("progress"), searchedTo: count, size: count, matches: count }),
  /** The search was given up in its midst, and why. */
  z.object({ type: z.literal("refused"), code: z.string(), message: z.string() }),
  z.object({ type: z.literal("end"), searchedTo: count, matches: count }),
]);
export type LogSearchAnswer = z.infer<typeof logSearchAnswerSchema>;
