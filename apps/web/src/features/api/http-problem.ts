import { type ErrorCode, isErrorCode } from "@nexus/shared/errors";

/** A refusal over plain HTTP (`{ error: { message, data: { nexusCode } } }`), or an answer that is not ours at all. */
export class HttpProblem extends Error {
  readonly code: ErrorCode | "http";
  readonly status: number;

  constructor(message: string, from: { code: ErrorCode | "http"; status: number }) {
    super(message);
    this.name = "HttpProblem";
    this.code = from.code;
    this.status = from.status;
  }

  static async of(response: Response): Promise<HttpProblem> {
    const body: unknown = await response.json().catch(() => null);
    const error = field(body, "error");
    const code = field(field(error, "data"), "nexusCode");
    const message = field(error, "message");
    return new HttpProblem(typeof message === "string" ? message : `HTTP ${response.status}`, {
      code: isErrorCode(code) ? code : "http",
      status: response.status,
    });
  }
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
