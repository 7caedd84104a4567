/** Where to go after signing in: a path of ours, never another site. */
export function nextPath(next: string | null): string {
  if (!next?.startsWith("/") || next.startsWith("//") || next.includes("\\")) return "/";
  // Browsers drop tabs and newlines from URLs, so "/\t/evil" would become "//evil".
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
  return /[\u0000-\u001f]/.test(next) || next.startsWith("/sign-in") ? "/" : next;
}
