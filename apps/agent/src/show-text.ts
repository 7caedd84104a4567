/** What came from elsewhere (a server's message, a hostname) may not steer the terminal. */
export function showText(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is taken out
  return text.replaceAll(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, "�");
}
