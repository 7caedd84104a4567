/**
 * What is wrong with an input, in our words, for the API's answers and the forms of the dashboard. A sentence that stands in a
 * schema itself goes before.
 */
import * as z from "zod";

/** For every schema of the process, so only a composition root may say so. */
export function speakInputWords(): void {
  z.config({ localeError: inputWords });
}

/** The end of a sentence that begins with the field's name: `priority: must be at most 1000`. */
function inputWords(issue: z.core.$ZodRawIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return issue.input === undefined ? "is missing" : `must be ${kindWords(issue.expected)}`;
    case "too_small":
      return limitWords(
        issue.origin,
        `${issue.minimum}`,
        issue.inclusive === false ? "more than" : "at least",
      );
    case "too_big":
      return limitWords(
        issue.origin,
        `${issue.maximum}`,
        issue.inclusive === false ? "less than" : "at most",
      );
    case "invalid_format":
      return issue.format === "email"
        ? "is no email address"
        : "has characters or a form that are not allowed";
    case "invalid_value":
      return `must be ${issue.values.length === 1 ? "" : "one of "}${issue.values.map(String).join(", ")}`;
    case "not_multiple_of":
      return `must be a multiple of ${issue.divisor}`;
    case "unrecognized_keys":
      return `has unknown fields: ${issue.keys.join(", ")}`;
    case "invalid_key":
      return issue.issues[0]?.message ?? "is a name that is not allowed";
    case "invalid_union":
      return "is none of what is allowed here";
    default:
      return "is not valid";
  }
}

function kindWords(expected: string): string {
  switch (expected) {
    case "int":
      return "a whole number";
    case "number":
      return "a number";
    case "string":
      return "text";
    case "boolean":
      return "true or false";
    case "array":
      return "a list";
    case "object":
    case "record":
      return "a set of fields";
    default:
      return `of the kind ${expected}`;
  }
}

function limitWords(origin: string, limit: string, how: string): string {
  const isOne = limit === "1";
  switch (origin) {
    case "string":
      if (isOne && how === "at least") return "is empty";
      return `must have ${how} ${limit} character${isOne ? "" : "s"}`;
    case "array":
    case "set":
    case "map":
      if (isOne && how === "at least") return "is empty";
      return `must have ${how} ${limit} item${isOne ? "" : "s"}`;
    default:
      return `must be ${how} ${limit}`;
  }
}
