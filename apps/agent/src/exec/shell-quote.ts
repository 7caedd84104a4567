/** One word of a POSIX shell, whatever it holds. NUL cannot be in a word at all; the caller refuses it. */
export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
