import {
  type AnyAuthMethod,
  BaseAgent,
  createAgent,
  type IdentityCallback,
  type ParsedKey,
  type SignCallback,
  type SigningRequestOptions,
} from "ssh2";
import type { AuthAttempt, Credentials } from "../auth/credentials.ts";
import { readPrivateKey } from "../auth/read-private-key.ts";
import { fingerprintOf, publicKeyOfBlob } from "../host-keys/public-key.ts";

/** One step: what it is in words, what the server must offer for it, and how ssh2 is told to take it. */
type Step =
  | { what: string; method: "publickey" | "password" | "keyboard-interactive"; auth: AnyAuthMethod }
  | { what: string; unusable: string };

/**
 * Walks through the credentials in their fixed order, one key at a time, and keeps what came of each. Owns no socket.
 * The server's list of methods is known only after its first refusal; until then everything may be tried.
 */
export class AuthSequence {
  readonly attempts: AuthAttempt[] = [];
  private readonly steps: Step[] = [];
  private current: Step | undefined;

  /** The agent is asked for its keys now, so that each of them is an attempt of its own. */
  static async prepare(user: string, credentials: Credentials): Promise<AuthSequence> {
    const sequence = new AuthSequence();
    for (const key of credentials.keys ?? []) sequence.addKey(user, key);
    if (credentials.agentSocket !== undefined) await sequence.addAgent(user, credentials);
    const { password, answer } = credentials;
    if (password !== undefined) {
      const auth: AnyAuthMethod = { type: "password", username: user, password };
      sequence.steps.push({ what: "password", method: "password", auth });
    }
    if (answer !== undefined || password !== undefined) sequence.addQuestions(user, credentials);
    return sequence;
  }

  /** The way to try next; undefined when all are tried. `offered` is null before the server said what it takes. */
  next(offered: readonly string[] | null, isPartial: boolean | null): AnyAuthMethod | undefined {
    this.close(isPartial ? "accepted, and the server wants more" : "refused by the server");
    for (;;) {
      const step = this.steps.shift();
      if (step === undefined) return undefined;
      if ("unusable" in step) {
        this.attempts.push({ what: step.what, outcome: `not tried: ${step.unusable}` });
        continue;
      }
      if (offered === null || offered.includes(step.method)) {
        this.current = step;
        return step.auth;
      }
      const offer = offered.length === 0 ? "nothing more" : offered.join(", ");
      this.attempts.push({ what: step.what, outcome: `not offered by the server (it offers ${offer})` });
    }
  }

  /** What was under way when the server accepted. */
  accepted(): string {
    return this.current?.what ?? "nothing: the server asked for no proof";
  }

  /** The line ended, or the attempt failed on our side: the reason belongs to the attempt under way. */
  close(outcome: string): void {
    if (this.current === undefined) return;
    this.attempts.push({ what: this.current.what, outcome });
    this.current = undefined;
  }

  private addKey(user: string, key: { label: string; text: string; passphrase?: string | undefined }): void {
    const read = readPrivateKey(key);
    if ("reason" in read) {
      this.steps.push({ what: `key ${key.label}`, unusable: read.reason });
      return;
    }
    this.steps.push({
      what: `key ${fingerprintOf(read.publicKey)} (${key.label})`,
      method: "publickey",
      auth: { type: "publickey", username: user, key: read.key },
    });
  }

  private async addAgent(user: string, { agentSocket = "", agentKeys }: Credentials): Promise<void> {
    const agent = createAgent(agentSocket);
    const keys = await identitiesOf(agent).catch((error: Error) => error);
    if (keys instanceof Error) {
      this.steps.push({ what: `agent ${agentSocket}`, unusable: keys.message });
      return;
    }
    let used = 0;
    for (const key of keys) {
      const publicKey = publicKeyOfBlob(key.getPublicSSH());
      if (publicKey === undefined) continue;
      const fingerprint = fingerprintOf(publicKey);
      if (agentKeys !== undefined && !agentKeys.includes(fingerprint)) continue;
      used += 1;
      this.steps.push({
        what: `key ${fingerprint} (agent)`,
        method: "publickey",
        auth: { type: "agent", username: user, agent: new OneKeyAgent(agent, key) },
      });
    }
    if (used === 0) this.steps.push({ what: `agent ${agentSocket}`, unusable: "it holds no fitting key" });
  }

  private addQuestions(user: string, { answer, password }: Credentials): void {
    let mayUsePassword = password !== undefined;
    this.steps.push({
      what: "questions of the server",
      method: "keyboard-interactive",
      auth: {
        type: "keyboard-interactive",
        username: user,
        prompt: (...[title, instructions, , prompts, finish]) => {
          // Servers with PAM ask for the password this way; the given one answers one hidden question, once.
          if (mayUsePassword && answer === undefined && prompts.length === 1 && prompts[0]?.echo === false) {
            mayUsePassword = false;
            finish([password ?? ""]);
            return;
          }
          const questions = prompts.map((one) => ({ text: one.prompt, isEchoed: one.echo ?? false }));
          Promise.resolve(answer?.({ title, instructions, prompts: questions }))
            .then((answers) => finish([...(answers ?? prompts.map(() => ""))]))
            .catch(() => finish(prompts.map(() => "")));
        },
      },
    });
  }
}

function identitiesOf(agent: ReturnType<typeof createAgent>): Promise<ParsedKey[]> {
  return new Promise((resolve, reject) => {
    agent.getIdentities((error, keys) => {
      if (error) reject(error instanceof Error ? error : new Error(String(error)));
      else
        resolve(
          (keys ?? []).filter((key): key is ParsedKey => typeof key === "object" && "getPublicSSH" in key),
        );
    });
  });
}

type SignArguments = [ParsedKey, Buffer, SigningRequestOptions | SignCallback, SignCallback?];

/** One key of an agent, so that its refusal is told apart from the others'. */
class OneKeyAgent extends BaseAgent<ParsedKey> {
  private readonly agent: ReturnType<typeof createAgent>;
  private readonly key: ParsedKey;

  constructor(agent: ReturnType<typeof createAgent>, key: ParsedKey) {
    super();
    this.agent = agent;
    this.key = key;
  }

  getIdentities(done: IdentityCallback<ParsedKey>): void {
    done(undefined, [this.key]);
  }

  sign(...[key, data, options, done]: SignArguments): void {
    const callback = typeof options === "function" ? options : done;
    this.agent.sign(key, data, typeof options === "function" ? {} : options, callback);
  }
}
