import type { Duplex } from "node:stream";
import type { SshSession } from "../session.ts";
import { SshError } from "../ssh-error.ts";
import {
  type Attributes,
  attributes,
  PACKET,
  PacketReader,
  STATUS,
  string,
  uint32,
  uint64,
} from "./sftp-packet.ts";

/**
 * SFTP over any stream that speaks it, so that both engines share one client. Owns the stream. Requests are answered by
 * their number, in whatever order; when the stream ends every open request is refused with `connection_lost`.
 */
export type SftpClient = {
  open(path: string, flags: number, mode?: number): Promise<Buffer>;
  close(handle: Buffer): Promise<void>;
  /** Undefined at the end of the file. May bring less than was asked for. */
  read(handle: Buffer, offset: number, length: number): Promise<Buffer | undefined>;
  write(handle: Buffer, offset: number, bytes: Uint8Array): Promise<void>;
  /** Undefined where there is no such file. Follows links. */
  stat(path: string): Promise<Attributes | undefined>;
  setMode(path: string, mode: number): Promise<void>;
  /** Replaces what is there, in one step, where the server knows how (OpenSSH does). */
  rename(from: string, to: string): Promise<void>;
  /** Asks the machine to bring the file to its disk. Servers that cannot are left alone. */
  sync(handle: Buffer): Promise<void>;
  makeFolder(path: string): Promise<void>;
  remove(path: string): Promise<void>;
  realPath(path: string): Promise<string>;
  end(): void;
};

type Answer = { type: number; reader: PacketReader };
type Request = { resolve: (answer: Answer) => void; reject: (error: unknown) => void; what: string };

const VERSION = 3;
/** OpenSSH answers with at most 256 KiB and its packet's head. More is not SFTP but a shell that printed something. */
const PACKET_BYTES_MAX = 512 * 1024;

export async function openSftp(session: SshSession): Promise<SftpClient> {
  return startSftp(await session.subsystem("sftp"));
}

export async function startSftp(stream: Duplex): Promise<SftpClient> {
  const open = new Map<number, Request>();
  const extensions = new Set<string>();
  const hello = Promise.withResolvers<void>();
  let nextId = 0;
  let failure: SshError | undefined;
  let pending: Buffer[] = [];
  let pendingBytes = 0;

  const fail = (message: string, cause?: unknown) => {
    failure ??= new SshError("connection_lost", message, cause);
    hello.reject(failure);
    for (const request of open.values()) request.reject(failure);
    open.clear();
    stream.destroy();
  };
  stream.on("error", (error) => fail("The file transfer was cut", error));
  stream.on("close", () => fail("The file transfer was cut"));
  stream.on("end", () => fail("The server ended the file transfer"));
  stream.on("data", (chunk: Buffer) => {
    pending.push(chunk);
    pendingBytes += chunk.length;
    try {
      takePackets();
    } catch (error) {
      fail("The server sent what is no SFTP packet", error);
    }
  });

  function takePackets(): void {
    while (pendingBytes >= 4) {
      let bytes = pending[0] ?? Buffer.alloc(0);
      if (bytes.length < 4) {
        bytes = Buffer.concat(pending);
        pending = [bytes];
      }
      const length = bytes.readUInt32BE(0);
      if (length > PACKET_BYTES_MAX) throw new RangeError(`a packet of ${length} bytes`);
      if (pendingBytes < 4 + length) return;
      if (bytes.length < 4 + length) bytes = Buffer.concat(pending);
      const rest = bytes.length === 4 + length ? [] : [bytes.subarray(4 + length)];
      pending = bytes.length === pendingBytes ? rest : [...rest, ...pending.slice(1)];
      pendingBytes -= 4 + length;
      take(bytes.subarray(0, 4 + length));
    }
  }

  function take(packet: Buffer): void {
    const type = packet.readUInt8(4);
    const reader = new PacketReader(packet, 5);
    if (type === PACKET.version) {
      reader.uint32();
      for (;;) {
        try {
          extensions.add(reader.string().toString("utf8"));
          reader.string();
        } catch {
          break;
        }
      }
      hello.resolve();
      return;
    }
    const id = reader.uint32();
    const request = open.get(id);
    open.delete(id);
    request?.resolve({ type, reader });
  }

  function send(type: number, what: string, ...parts: Buffer[]): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (failure !== undefined) return reject(failure);
      nextId = (nextId + 1) % 2 ** 32;
      open.set(nextId, { resolve, reject, what });
      const body = Buffer.concat([Buffer.from([type]), uint32(nextId), ...parts]);
      stream.write(Buffer.concat([uint32(body.length), body]));
    });
  }

  /** The answer when it is of the wanted type; a status otherwise becomes an error with the server's words. */
  async function ask(
    type: number,
    wanted: number,
    request: { what: string; parts: Buffer[] },
  ): Promise<PacketReader> {
    const { type: got, reader } = await send(type, request.what, ...request.parts);
    if (got !== PACKET.status) {
      if (got === wanted) return reader;
      throw new SshError("remote_refused", `${request.what}: the server answered with packet ${got}`);
    }
    const status = reader.uint32();
    if (wanted === PACKET.status && status === STATUS.ok) return reader;
    throw new SftpStatusError(status, `${request.what}: ${reader.string().toString("utf8")}`);
  }

  stream.write(Buffer.concat([uint32(5), Buffer.from([PACKET.init]), uint32(VERSION)]));
  await hello.promise;

  const extended = (name: string, what: string, ...parts: Buffer[]) =>
    ask(PACKET.extended, PACKET.status, { what, parts: [string(name), ...parts] });
  return {
    async open(path, flags, mode) {
      const parts = [string(path), uint32(flags), attributes({ mode })];
      return Buffer.from(
        (await ask(PACKET.open, PACKET.handle, { what: `opening ${path}`, parts })).string(),
      );
    },
    async close(handle) {
      await ask(PACKET.close, PACKET.status, { what: "closing", parts: [string(handle)] });
    },
    async read(handle, offset, length) {
      const parts = [string(handle), uint64(offset), uint32(length)];
      try {
        return (await ask(PACKET.read, PACKET.data, { what: "reading", parts })).string();
      } catch (error) {
        if (error instanceof SftpStatusError && error.status === STATUS.endOfFile) return undefined;
        throw error;
      }
    },
    async write(handle, offset, bytes) {
      const parts = [string(handle), uint64(offset), string(bytes)];
      await ask(PACKET.write, PACKET.status, { what: "writing", parts });
    },
    async stat(path) {
      try {
        return (
          await ask(PACKET.stat, PACKET.attributes, { what: path, parts: [string(path)] })
        ).attributes();
      } catch (error) {
        if (error instanceof SftpStatusError && error.status === STATUS.noSuchFile) return undefined;
        throw error;
      }
    },
    async setMode(path, mode) {
      const parts = [string(path), attributes({ mode })];
      await ask(PACKET.setstat, PACKET.status, { what: `changing the mode of ${path}`, parts });
    },
    async rename(from, to) {
      const what = `renaming ${from} to ${to}`;
      if (extensions.has("posix-rename@openssh.com")) {
        await extended("posix-rename@openssh.com", what, string(from), string(to));
      } else {
        await ask(PACKET.rename, PACKET.status, { what, parts: [string(from), string(to)] });
      }
    },
    async sync(handle) {
      if (extensions.has("fsync@openssh.com")) await extended("fsync@openssh.com", "syncing", string(handle));
    },
    async makeFolder(path) {
      await ask(PACKET.mkdir, PACKET.status, {
        what: `making ${path}`,
        parts: [string(path), attributes({})],
      });
    },
    async remove(path) {
      await ask(PACKET.remove, PACKET.status, { what: `removing ${path}`, parts: [string(path)] });
    },
    async realPath(path) {
      const reader = await ask(PACKET.realpath, PACKET.name, { what: path, parts: [string(path)] });
      reader.uint32();
      return reader.string().toString("utf8");
    },
    end() {
      failure ??= new SshError("cancelled", "The file transfer was closed.");
      stream.destroy();
    },
  };
}

/** What the server said no to. */
export class SftpStatusError extends SshError {
  readonly status: number;

  constructor(status: number, message: string) {
    super("remote_refused", message);
    this.status = status;
  }
}
