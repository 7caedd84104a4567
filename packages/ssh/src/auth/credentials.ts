/** What may be shown to a server. The order is fixed: keys, agent, password, questions. */
export type Credentials = {
  keys?: readonly PrivateKey[];
  /** Path of an ssh-agent's socket. */
  agentSocket?: string | undefined;
  /** Only these of the agent's keys, by fingerprint: servers cut the line after a handful of refused keys. */
  agentKeys?: readonly string[];
  password?: string;
  /** Answers a server's questions (keyboard-interactive). Undefined gives up. */
  answer?: (questions: ServerQuestions) => Promise<readonly string[] | undefined>;
};

export type PrivateKey = {
  /** Where it is from, for people: a path or a name. */
  label: string;
  /** PEM or OpenSSH text. Secret. */
  text: string;
  passphrase?: string | undefined;
  /** What an authority signed for it, as `…-cert.pub` holds it. Only the system's ssh can present it. */
  certificate?: string | undefined;
};

export type ServerQuestions = {
  title: string;
  instructions: string;
  prompts: readonly { text: string; isEchoed: boolean }[];
};

/** One way that was tried, or could not be, and what came of it. */
export type AuthAttempt = { what: string; outcome: string };

/** The reason people get when nothing worked: every way, in order. */
export function explainAttempts(user: string, attempts: readonly AuthAttempt[]): string {
  if (attempts.length === 0)
    return `There was nothing to log in as ${user} with: give a key, an agent or a password.`;
  const lines = attempts.map(({ what, outcome }) => `  ${what}: ${outcome}`);
  return [`The server did not let ${user} in:`, ...lines].join("\n");
}
