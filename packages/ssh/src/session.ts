import type { Duplex, Readable, Writable } from "node:stream";
import type { PublicKey } from "./host-keys/public-key.ts";

/**
 * One open connection to one machine, whichever engine carries it. States: open → closing → ended. Nothing on it can
 * be used before the host key was verified, and every channel ends with it.
 */
export type SshSession = {
  readonly engine: "ssh2" | "openssh";
  readonly facts: SessionFacts;
  /** Resolves when the connection is gone, with what ended it; with nothing after `close`. Never rejects. */
  readonly ended: Promise<Error | undefined>;
  isOpen(): boolean;
  /** Channels now in use. */
  channelCount(): number;
  exec(request: ExecRequest): Promise<RemoteProcess>;
  /** A stream that speaks the protocol of a subsystem, such as `sftp`. */
  subsystem(name: string): Promise<Duplex>;
  /** A connection from the machine to an address as the machine sees it. */
  forwardOut(to: ForwardTarget): Promise<Duplex>;
  /** The machine listens, and each of its connections is carried to an address as this process sees it. */
  forwardIn(forward: ForwardIn): Promise<{ port: number; close(): Promise<void> }>;
  close(): Promise<void>;
};

/** Runs programs on one machine: a connection, or a share of a pool's. */
export type Runner = Pick<SshSession, "exec" | "isOpen">;

export type SessionFacts = {
  user: string;
  /** How the server accepted us, in words: `key SHA256:… (~/.ssh/id_ed25519)`. */
  acceptedBy: string;
  /** Unknown to the engine openssh, whose ssh keeps them to itself. */
  hostKey: PublicKey | undefined;
  cipher: string | undefined;
  keyExchange: string | undefined;
};

export type ForwardTarget = { host: string; port: number } | { socketPath: string };
export type ForwardIn = { bindHost: string; bindPort: number; to: { host: string; port: number } };

export type TerminalSize = { columns: number; rows: number };

export type ExecRequest = {
  /** The program and its arguments, as they are: no shell reads them. For a script: `["sh", "-c", SCRIPT, "sh", ...values]`. */
  argv: readonly string[];
  cwd?: string | undefined;
  env?: Readonly<Record<string, string>> | undefined;
  terminal?: (TerminalSize & { term?: string }) | undefined;
};

export type RemoteExit = { code: number | null; signal: string | null };

export type RemoteProcess = {
  /** Marks every process of the tree, by its environment. */
  readonly mark: string;
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Empty with a terminal, which has one stream. */
  readonly stderr: Readable;
  /**
   * How it ended. Rejects with `connection_lost` when the connection was cut: then nobody knows, and it may still run.
   * Does not wait for the streams to be read.
   */
  readonly exited: Promise<RemoteExit>;
  resize(size: TerminalSize): void;
  /** Closes the channel and nothing else: the process may go on. To end it use `killTree`. */
  close(): void;
};
