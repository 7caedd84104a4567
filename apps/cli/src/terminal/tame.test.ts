import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createTamer } from "./tame.ts";

const tamed = (text: string | Uint8Array) => {
  const tamer = createTamer();
  return tamer.tame(typeof text === "string" ? Buffer.from(text) : text);
};

describe("a job's log on a terminal", () => {
  it.each([
    ["text, tabs, returns", "plain\ttext\r\n50%\r100%\b\n", "plain\ttext\r\n50%\r100%\b\n"],
    [
      "colours",
      "\x1b[1;31mred\x1b[0m \x1b[38:2::1:2:3mx\x1b[m",
      "\x1b[1;31mred\x1b[0m \x1b[38:2::1:2:3mx\x1b[m",
    ],
    ["a progress bar that erases its line", "10%\r\x1b[K20%", "10%\r\x1b[K20%"],
    ["words of the world", "日本 é 🚀", "日本 é 🚀"],
  ])("[N6] keeps %s", (_what, text, shown) => expect(tamed(text)).toBe(shown));

  it.each([
    ["the clipboard", "a\x1b]52;c;ZXZpbA==\x07b"],
    ["the clipboard, ended by ST", "a\x1b]52;c;ZXZpbA==\x1b\\b"],
    ["the clipboard, from C1", "a\u009d52;c;ZXZpbA==\u009cb"],
    ["the title", "a\x1b]0;root@host\x07b"],
    ["moving the cursor", "a\x1b[2J\x1b[1;1H\x1b[10A\x1bM\x1bcb"],
    ["modes and questions", "a\x1b[?1049h\x1b[>4;1m\x1b[6n\x1b[c\x05b"],
    ["device strings", 'a\x1bP$q"p\x1b\\\x1b_app\x1b\\\x1b^pm\x1b\\b'],
    ["charsets and bells", "a\x0e\x1b(0\x07\x7f\x0b\x0cb"],
    ["a control in C1", "a\u009b2J\u0085b"],
  ])("[N6] drops %s", (_what, text) => expect(tamed(text)).toBe("ab"));

  it("[N6] a sequence without an end hides no more than the rest of its line", () => {
    expect(tamed("a\x1b]0;never ends\nb\x1b[9999999999\nc\x1b\nd")).toBe("a\nb\nc\nd");
    expect(tamed(`\x1b[${"1".repeat(5000)}mtext`)).toContain("text");
  });

  it("[N6] how the bytes were cut changes nothing, and nothing but colours and erasing comes through", () => {
    const piece = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom(
        "\x1b",
        "\x1b[",
        "\x1b]",
        "\x1bP",
        "\x07",
        "\x1b\\",
        "31",
        "m",
        "K",
        ";",
        "H",
        "\u009b",
        "é",
        "\n",
      ),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), fc.array(fc.nat(200)), (pieces, cuts) => {
        const bytes = Buffer.from(pieces.join(""));
        const whole = tamed(bytes);
        const tamer = createTamer();
        const places = [0, ...cuts.filter((at) => at < bytes.length).sort((a, b) => a - b), bytes.length];
        const inPieces = places
          .slice(1)
          .map((to, at) => tamer.tame(bytes.subarray(places[at], to)))
          .join("");
        expect(inPieces).toBe(whole);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for.
        const rest = whole.replace(/\x1b\[[\d;:]*m|\x1b\[[012]?K/g, "");
        // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not come through.
        expect(rest).not.toMatch(/[\x00-\x07\x0b\x0c\x0e-\x1f\x7f-\x9f]/);
      }),
      { numRuns: 500 },
    );
  });

  it("[N6] colours that a job leaves on are reset", () => {
    const tamer = createTamer();
    tamer.tame(Buffer.from("\x1b[31mred"));
    expect([tamer.end(), tamer.end()]).toEqual(["\x1b[0m", ""]);
    tamer.tame(Buffer.from("\x1b[31mred\x1b[1;0m"));
    expect(tamer.end()).toBe("");
  });
});
