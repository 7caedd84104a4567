import { ERROR_TABLE, isErrorCode } from "@nexus/shared/errors";

/** Some of the named jobs were refused, or for different reasons; each line says why. */
const EXIT_SOME_FAILED = 1;

export function exitCodeOfResults(results: { ok: boolean; code?: string | undefined }[]): number {
  if (results.every(({ ok }) => ok)) return 0;
  const [code, ...others] = new Set(results.map((result) => (result.ok ? null : result.code)));
  return isErrorCode(code) && others.length === 0 ? ERROR_TABLE[code].exit : EXIT_SOME_FAILED;
}
