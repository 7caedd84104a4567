/** One line of an ssh_config that says something. */
export type ConfigLine = {
  /** Lower case. */
  keyword: string;
  /** The words of its value: quotes are gone, a comment after them too. */
  words: string[];
  /** The value as it stands, for keywords that take the rest of the line. */
  rest: string;
  line: number;
};

export type ConfigProblem = { where: string; line: number; message: string };

export type ConfigText = { lines: ConfigLine[]; problems: { line: number; message: string }[] };

/** Undefined for blank lines and comments. A quote that never closes makes the line unreadable, as OpenSSH has it. */
export function readConfigLines(text: string): ConfigText {
  const result: ConfigText = { lines: [], problems: [] };
  text.split(/\r?\n/).forEach((raw, index) => {
    const line = index + 1;
    const content = raw.trim();
    if (content === "" || content.startsWith("#")) return;
    const [, keyword = "", rest = ""] = /^([^\s=]+)(?:\s*=\s*|\s+|$)(.*)$/s.exec(content) ?? [];
    const words = splitWords(rest);
    if (words === undefined) result.problems.push({ line, message: "a quote is not closed" });
    else if (words.length === 0) result.problems.push({ line, message: `${keyword} has no value` });
    else result.lines.push({ keyword: keyword.toLowerCase(), words, rest: rest.trim(), line });
  });
  return result;
}

/** Words between blanks; single and double quotes join; a backslash takes a quote, a blank or itself as it is. */
function splitWords(text: string): string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at] ?? "";
    const next = text[at + 1] ?? "";
    if (char === "\\" && (next === "\\" || next === "'" || next === '"' || (quote === "" && next === " "))) {
      word = (word ?? "") + next;
      at += 1;
    } else if (quote !== "") {
      if (char === quote) quote = "";
      else word = (word ?? "") + char;
    } else if (char === '"' || char === "'") {
      quote = char;
      word ??= "";
    } else if (char === " " || char === "\t") {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (char === "#" && word === undefined) {
      return words;
    } else {
      word = (word ?? "") + char;
    }
  }
  if (quote !== "") return undefined;
  if (word !== undefined) words.push(word);
  return words;
}
