import { pino } from "pino";
import { withoutParameters } from "../core/without-parameters.ts";

export type Log = (
  level: "debug" | "info" | "warn" | "error",
  message: string,
  facts?: Record<string, unknown>,
) => void;

/** Fields that may hold a secret, wherever they stand in what is logged. */
const SECRET_FIELDS = [
  "authorization",
  "cookie",
  "password",
  "secret",
  "token",
  "apiKey",
  "privateKey",
  "env",
];

/** Lines of JSON on standard output, written at once: the last words before a crash must not be lost. */
export function createLogger(level: "debug" | "info" | "warn" | "error"): Log {
  const logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: SECRET_FIELDS.flatMap((field) => [field, `*.${field}`]), censor: "[secret]" },
    },
    pino.destination({ sync: true }),
  );
  return (at, message, facts = {}) => logger[at](safe(facts), message);
}

function safe(facts: Record<string, unknown>): Record<string, unknown> {
  const entries = Object.entries(facts).map(([name, value]) => [
    name,
    typeof value === "string" ? withoutParameters(value) : value,
  ]);
  return Object.fromEntries(entries);
}
