/** `*` and `?` as OpenSSH means them; all else is itself. Both sides are compared as they are. */
export function matchesPattern(text: string, pattern: string): boolean {
  // Greedy with one point of return: linear for the patterns people write, never exponential.
  let at = 0;
  let inPattern = 0;
  let starAt = -1;
  let resumeAt = 0;
  while (at < text.length) {
    const wanted = pattern[inPattern];
    if (wanted === "*") {
      starAt = inPattern;
      resumeAt = at;
      inPattern += 1;
    } else if (wanted === "?" || (wanted !== undefined && wanted === text[at])) {
      at += 1;
      inPattern += 1;
    } else if (starAt >= 0) {
      resumeAt += 1;
      at = resumeAt;
      inPattern = starAt + 1;
    } else {
      return false;
    }
  }
  while (pattern[inPattern] === "*") inPattern += 1;
  return inPattern === pattern.length;
}

/** A list matches when one of its patterns does and no negated one (`!pattern`) does. */
export function matchesPatternList(text: string, patterns: readonly string[]): boolean {
  let matched = false;
  for (const pattern of patterns) {
    const negated = pattern.startsWith("!");
    if (!matchesPattern(text, negated ? pattern.slice(1) : pattern)) continue;
    if (negated) return false;
    matched = true;
  }
  return matched;
}
