/** The packets of SFTP version 3 (draft-ietf-secsh-filexfer-02) and the two OpenSSH extensions that we use. */
export const PACKET = {
  init: 1,
  version: 2,
  open: 3,
  close: 4,
  read: 5,
  write: 6,
  lstat: 7,
  fstat: 8,
  setstat: 9,
  opendir: 11,
  readdir: 12,
  remove: 13,
  mkdir: 14,
  rmdir: 15,
  realpath: 16,
  stat: 17,
  rename: 18,
  status: 101,
  handle: 102,
  data: 103,
  name: 104,
  attributes: 105,
  extended: 200,
} as const;

export const OPEN = { read: 1, write: 2, append: 4, create: 8, truncate: 16, exclusive: 32 } as const;

export const STATUS = { ok: 0, endOfFile: 1, noSuchFile: 2, permissionDenied: 3, failure: 4 } as const;

export type Attributes = {
  size: number | undefined;
  mode: number | undefined;
  modifiedS: number | undefined;
};

const HAS = { size: 1, owner: 2, mode: 4, times: 8, extended: 0x80000000 } as const;

export function uint32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function uint64(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

export function string(value: string | Uint8Array): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([uint32(bytes.length), bytes]);
}

export function attributes({ mode }: { mode?: number | undefined }): Buffer {
  return mode === undefined ? uint32(0) : Buffer.concat([uint32(HAS.mode), uint32(mode)]);
}

/** Reads the fields of one packet in their order. A packet that is shorter than its fields is refused. */
export class PacketReader {
  private readonly bytes: Buffer;
  private at: number;

  constructor(bytes: Buffer, at: number) {
    this.bytes = bytes;
    this.at = at;
  }

  uint32(): number {
    this.at += 4;
    return this.bytes.readUInt32BE(this.at - 4);
  }

  uint64(): number {
    this.at += 8;
    return Number(this.bytes.readBigUInt64BE(this.at - 8));
  }

  string(): Buffer {
    const length = this.uint32();
    if (this.at + length > this.bytes.length) throw new RangeError("a string of the SFTP packet is cut");
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  attributes(): Attributes {
    const flags = this.uint32();
    const size = flags & HAS.size ? this.uint64() : undefined;
    if (flags & HAS.owner) this.at += 8;
    const mode = flags & HAS.mode ? this.uint32() : undefined;
    let modifiedS: number | undefined;
    if (flags & HAS.times) {
      this.at += 4;
      modifiedS = this.uint32();
    }
    if (flags & HAS.extended) {
      const count = this.uint32();
      for (let index = 0; index < count * 2; index += 1) this.string();
    }
    return { size, mode, modifiedS };
  }
}
