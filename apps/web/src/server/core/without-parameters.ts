/** Drizzle's words where the parameters of a failed statement begin. They carry what people entrusted to us. */
const PARAMETERS = /\nparams: [\s\S]*?(?=\n {4}at |$)/g;

/** The text of an error, fit for a log: the statement stays, its parameters go. */
export function withoutParameters(text: string): string {
  return text.replace(PARAMETERS, "\nparams: [left out]");
}
