import { connect as connectTcp } from "node:net";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream";
import type { Client, ClientChannel } from "ssh2";
import { newMark } from "../exec/mark.ts";
import { remoteCommand } from "../exec/remote-command.ts";
import type {
  ExecRequest,
  ForwardIn,
  ForwardTarget,
  RemoteProcess,
  SessionFacts,
  SshSession,
} from "../session.ts";
import { SshError } from "../ssh-error.ts";
import type { Carrier } from "../transports/carrier.ts";
import { remoteProcess } from "./ssh2-process.ts";

const GOODBYE_MS = 2_000;
const LISTENERS_MAX = 30;

/**
 * A logged-in ssh2 client. Owns the client, its stream and the listeners of forwarded ports. After `ended` every call
 * is refused with `connection_lost`; ssh2 itself would throw, or never answer.
 */
export function createSsh2Session(client: Client, carrier: Carrier, facts: SessionFacts): SshSession {
  const forwards = new Map<number, ForwardIn>();
  let channels = 0;
  let isClosing = false;
  let failure: Error | undefined;
  let hasEnded = false;
  const ended = Promise.withResolvers<Error | undefined>();
  /** For the channels: they are cut by an orderly close too. */
  const gone = Promise.withResolvers<SshError>();

  client.on("error", (error: Error & { level?: string }) => {
    failure ??= error;
    client.destroy();
  });
  client.on("close", () => {
    hasEnded = true;
    gone.resolve(lost(failure, ""));
    if (isClosing) ended.resolve(undefined);
    else void carrier.explain().then((known) => ended.resolve(lost(failure, known)));
  });
  client.on("tcp connection", (details, accept, reject) => {
    const forward = forwards.get(details.destPort);
    if (forward === undefined) return reject();
    const local = connectTcp({ ...forward.to, noDelay: true });
    local.once("error", () => reject());
    local.once("connect", () => {
      local.removeAllListeners("error");
      join(local, accept());
    });
  });

  /**
   * Every channel is opened through here: it is counted, and a dead line answers at once. `use` is called in the same
   * turn, since a short command's end may have come in the same segment as its beginning.
   */
  function open<Used>(
    start: (done: (error: Error | undefined, channel: ClientChannel) => void) => void,
    use: (channel: ClientChannel) => Used,
  ): Promise<Used> {
    return new Promise((resolve, reject) => {
      if (hasEnded || isClosing) {
        reject(lost(failure, ""));
        return;
      }
      channels += 1;
      const release = once(() => {
        channels -= 1;
      });
      try {
        start((error, channel) => {
          if (error) {
            release();
            reject(asChannelError(error, hasEnded));
            return;
          }
          channel.once("close", release);
          resolve(use(channel));
        });
      } catch (error) {
        release();
        reject(lost(error instanceof Error ? error : failure, ""));
      }
    });
  }

  const session: SshSession = {
    engine: "ssh2",
    facts,
    ended: ended.promise,
    isOpen: () => !hasEnded && !isClosing,
    channelCount: () => channels,
    async exec(request: ExecRequest): Promise<RemoteProcess> {
      const mark = newMark();
      const command = remoteCommand({ ...request, mark });
      const { terminal } = request;
      const pty = terminal && {
        rows: terminal.rows,
        cols: terminal.columns,
        term: terminal.term ?? "xterm-256color",
      };
      return await open(
        (done) => client.exec(command, pty === undefined ? {} : { pty }, done),
        (channel) => remoteProcess(channel, { mark, ended: gone.promise }),
      );
    },
    subsystem: (name) => open((done) => client.subsys(name, done), asStream),
    async forwardOut(to: ForwardTarget) {
      try {
        return await open(
          (done) =>
            "socketPath" in to
              ? client.openssh_forwardOutStreamLocal(to.socketPath, done)
              : client.forwardOut("127.0.0.1", 0, to.host, to.port, done),
          asStream,
        );
      } catch (error) {
        throw error instanceof SshError && error.failure === "channel_refused"
          ? asForwardError(to, error)
          : error;
      }
    },
    forwardIn(forward) {
      return new Promise((resolve, reject) => {
        if (hasEnded || isClosing) return reject(lost(failure, ""));
        client.forwardIn(forward.bindHost, forward.bindPort, (error, port) => {
          if (error) {
            const where = `${forward.bindHost}:${forward.bindPort}`;
            return reject(
              new SshError("remote_refused", `The server does not listen on ${where} for us`, error),
            );
          }
          forwards.set(port, forward);
          resolve({
            port,
            close: () =>
              new Promise((closed) => {
                forwards.delete(port);
                if (hasEnded) closed();
                else client.unforwardIn(forward.bindHost, port, () => closed());
              }),
          });
        });
      });
    },
    async close() {
      isClosing = true;
      if (!hasEnded) client.end();
      // A peer that never closes its side, or never reads our goodbye, must not hold the socket.
      const { stream } = carrier;
      stream.once("finish", () => stream.destroy());
      const timer = setTimeout(() => stream.destroy(), GOODBYE_MS);
      await ended.promise;
      clearTimeout(timer);
    },
  };
  return session;
}

/** A stream's late error ends the stream; it must not end this process where nobody listens yet. */
function asStream(channel: ClientChannel): Duplex {
  channel.on("error", () => undefined);
  // Pipelines both ways and the bookkeeping each listen for the end.
  channel.setMaxListeners(LISTENERS_MAX);
  channel.stderr.resume();
  return channel;
}

function join(one: Duplex, other: Duplex): void {
  // Either side's failure ends both; there is nobody to tell.
  pipeline(one, other, () => undefined);
  pipeline(other, one, () => undefined);
}

function once(act: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    act();
  };
}

function lost(cause: Error | undefined, known: string): SshError {
  const why = [cause?.message, known].filter(Boolean).join(": ");
  return new SshError("connection_lost", `The connection was cut${why === "" ? "" : `: ${why}`}`, cause);
}

/** A server's limit of sessions does not count here: what it says is of the place that was asked for. */
function asForwardError(to: ForwardTarget, { message, cause }: SshError): SshError {
  const place = "socketPath" in to ? to.socketPath : `${to.host}:${to.port}`;
  const words = /connection refused/i.test(message)
    ? `Nothing listens on ${place} there. Is the service up, and on that port?`
    : `The machine does not lead to ${place}. ${message}`;
  return new SshError("forward_refused", words, cause);
}

function asChannelError(error: Error, hasEnded: boolean): SshError {
  if (hasEnded || /No response from server|Not connected/.test(error.message)) return lost(error, "");
  // A channel that was not even opened carried nothing: it may be tried again elsewhere.
  const failure = "reason" in error ? "channel_refused" : "remote_refused";
  return new SshError(failure, `The server refused: ${error.message}`, error);
}
