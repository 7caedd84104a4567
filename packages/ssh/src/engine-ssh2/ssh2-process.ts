import type { ClientChannel } from "ssh2";
import type { RemoteExit, RemoteProcess } from "../session.ts";
import { SshError } from "../ssh-error.ts";

/**
 * One exec channel as a process. `ended` tells when the whole connection is gone, which makes its end unknown: the
 * channel itself would say so only after everything that it brought was read.
 */
export function remoteProcess(
  channel: ClientChannel,
  { mark, ended }: { mark: string; ended: Promise<SshError> },
): RemoteProcess {
  const exited = new Promise<RemoteExit>((resolve, reject) => {
    channel.on("exit", (code: number | null, signal?: string) => {
      resolve({ code, signal: signal ?? null });
    });
    channel.on("close", () => {
      // Of a cut both are told in one turn: the connection's word, which comes first, is the better one.
      setImmediate(() =>
        reject(new SshError("remote_refused", "The server closed the command without saying how it ended")),
      );
    });
    void ended.then(reject);
  });
  // Whoever only reads the streams need not look at the end.
  exited.catch(() => undefined);
  // The streams are told by `exited`; without a listener a late error would end this process.
  channel.on("error", () => undefined);
  channel.stderr.on("error", () => undefined);
  return {
    mark,
    stdin: channel.stdin,
    stdout: channel.stdout,
    stderr: channel.stderr,
    exited,
    resize: ({ columns, rows }) => channel.setWindow(rows, columns, 0, 0),
    close() {
      channel.close();
      // What nobody reads any more must not keep the channel counted as open.
      channel.resume();
      channel.stderr.resume();
    },
  };
}
