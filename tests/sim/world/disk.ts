/**
 * A machine's disk: what programs see of it now, and what a power cut would leave.
 *
 * Owns: folders, files, and of each what was last made durable. Invariants: a killed program loses nothing that it wrote; a
 * power cut keeps what was synced, and of the rest any beginning, or garbage in the last bytes. It refuses writes for which
 * there is no room, after it took what still fitted.
 */
import type { Random } from "./random.ts";

export type File = {
  kind: "file";
  ino: number;
  bytes: Uint8Array;
  size: number;
  durable: Uint8Array;
  /** Bytes before this one are as durable has them. */
  mtimeMs: number;
  links: number;
  watchers: Set<() => void>;
};
export type Folder = {
  kind: "folder";
  ino: number;
  entries: Map<string, Inode>;
  durable: Map<string, Inode>;
};
export type Inode = File | Folder;

export type Disk = {
  readonly root: Folder;
  /** What is left; programs and jobs share it. */
  freeBytes: number;
  /** The next syncs fail, as of a disk that is broken. */
  failingSyncs: number;
  /**
   * After a power cut the last bytes of what was appended may be anything. Journals reckon with it; logs rely on a file system
   * that writes data before sizes, as ext4, XFS, btrfs and ZFS do.
   */
  tearsTails: boolean;
  find(path: string): Inode | null;
  makeFolder(path: string, recursive: boolean): void;
  makeFile(path: string, isExclusive: boolean): File;
  remove(path: string, options: { recursive: boolean; force: boolean }): void;
  removeFolder(path: string): void;
  rename(from: string, to: string): void;
  link(from: string, to: string): void;
  /** @returns how many bytes found room. */
  write(file: File, position: number, bytes: Uint8Array): number;
  truncate(file: File, size: number): void;
  sync(inode: Inode): void;
  /** All that is not synced is at risk. */
  cutPower(): void;
  /** Everything becomes durable: how a machine comes out of its installation. */
  settle(): void;
  copy(): Disk;
};

export class DiskError extends Error {
  readonly code: string;
  constructor(code: string, path: string) {
    super(`${code}: ${path}`);
    this.code = code;
  }
}

const SECTOR_BYTES = 512;
const FILE_BYTES_MIN = 64;

export function createDisk(random: Random, nowMs: () => number): Disk {
  let inos = 1;
  const newFolder = (): Folder => ({ kind: "folder", ino: inos++, entries: new Map(), durable: new Map() });
  const root = newFolder();

  const disk: Disk = {
    root,
    freeBytes: Number.POSITIVE_INFINITY,
    failingSyncs: 0,
    tearsTails: false,
    find(path) {
      let inode: Inode | undefined = root;
      for (const name of namesOf(path)) {
        if (inode?.kind !== "folder") return null;
        inode = inode.entries.get(name);
        if (inode === undefined) return null;
      }
      return inode;
    },
    makeFolder(path, recursive) {
      if (!recursive) {
        const { parent, name } = place(path);
        if (parent.entries.has(name)) throw new DiskError("EEXIST", path);
        takeRoom(path);
        parent.entries.set(name, newFolder());
        return;
      }
      let folder: Folder = root;
      for (const name of namesOf(path)) {
        const next = folder.entries.get(name);
        if (next?.kind === "file") throw new DiskError("ENOTDIR", path);
        if (next === undefined) takeRoom(path);
        const inner: Folder = next ?? newFolder();
        folder.entries.set(name, inner);
        folder = inner;
      }
    },
    makeFile(path, isExclusive) {
      const { parent, name } = place(path);
      const known = parent.entries.get(name);
      if (known?.kind === "folder") throw new DiskError("EISDIR", path);
      if (known !== undefined) {
        if (isExclusive) throw new DiskError("EEXIST", path);
        return known;
      }
      takeRoom(path);
      const file: File = {
        kind: "file",
        ino: inos++,
        bytes: new Uint8Array(FILE_BYTES_MIN),
        size: 0,
        durable: new Uint8Array(0),
        mtimeMs: nowMs(),
        links: 1,
        watchers: new Set(),
      };
      parent.entries.set(name, file);
      return file;
    },
    remove(path, { recursive, force }) {
      const at = tryPlace(path);
      const inode = at?.parent.entries.get(at.name);
      if (at === null || inode === undefined) {
        if (force) return;
        throw new DiskError("ENOENT", path);
      }
      if (inode.kind === "folder" && !recursive) throw new DiskError("EISDIR", path);
      at.parent.entries.delete(at.name);
      giveBack(inode);
    },
    removeFolder(path) {
      const { parent, name } = place(path);
      const inode = parent.entries.get(name);
      if (inode === undefined) throw new DiskError("ENOENT", path);
      if (inode.kind !== "folder") throw new DiskError("ENOTDIR", path);
      if (inode.entries.size > 0) throw new DiskError("ENOTEMPTY", path);
      parent.entries.delete(name);
    },
    rename(from, to) {
      const source = place(from);
      const inode = source.parent.entries.get(source.name);
      if (inode === undefined) throw new DiskError("ENOENT", from);
      const target = place(to);
      const replaced = target.parent.entries.get(target.name);
      if (replaced !== undefined && replaced !== inode) giveBack(replaced);
      source.parent.entries.delete(source.name);
      target.parent.entries.set(target.name, inode);
    },
    link(from, to) {
      const inode = disk.find(from);
      if (inode?.kind !== "file") throw new DiskError("ENOENT", from);
      const { parent, name } = place(to);
      if (parent.entries.has(name)) throw new DiskError("EEXIST", to);
      takeRoom(to);
      inode.links += 1;
      parent.entries.set(name, inode);
    },
    write(file, position, bytes) {
      const grows = Math.max(0, position + bytes.length - file.size);
      const fits = bytes.length - Math.max(0, grows - Math.max(0, disk.freeBytes));
      if (fits <= 0) throw new DiskError("ENOSPC", `inode ${file.ino}`);
      const end = position + fits;
      if (end > file.bytes.length) {
        const larger = new Uint8Array(Math.max(end, file.bytes.length * 2));
        larger.set(file.bytes.subarray(0, file.size));
        file.bytes = larger;
      }
      if (position > file.size) file.bytes.fill(0, file.size, position);
      file.bytes.set(fits === bytes.length ? bytes : bytes.subarray(0, fits), position);
      disk.freeBytes -= Math.max(0, end - file.size);
      file.size = Math.max(file.size, end);
      touch(file);
      return fits;
    },
    truncate(file, size) {
      disk.freeBytes += Math.max(0, file.size - size);
      if (size > file.size) {
        disk.write(file, file.size, new Uint8Array(size - file.size));
        return;
      }
      file.size = size;
      touch(file);
    },
    sync(inode) {
      if (inode.kind === "folder") {
        inode.durable = new Map(inode.entries);
        return;
      }
      if (disk.failingSyncs > 0) {
        disk.failingSyncs -= 1;
        throw new DiskError("EIO", `inode ${inode.ino}`);
      }
      inode.durable = inode.bytes.slice(0, inode.size);
    },
    cutPower() {
      forget(root);
    },
    settle() {
      visit(root, (inode) => {
        if (inode.kind === "folder") inode.durable = new Map(inode.entries);
        else inode.durable = inode.bytes.slice(0, inode.size);
      });
    },
    copy() {
      const other = createDisk(random, nowMs);
      copyInto(root, other.root, new Map());
      other.settle();
      return other;
    },
  };
  return disk;

  function copyInto(from: Folder, to: Folder, copies: Map<Inode, Inode>): void {
    for (const [name, inode] of from.entries) {
      let copy = copies.get(inode);
      if (copy === undefined) {
        if (inode.kind === "folder") {
          copy = { kind: "folder", ino: inode.ino, entries: new Map(), durable: new Map() };
          copyInto(inode, copy, copies);
        } else {
          copy = { ...inode, bytes: inode.bytes.slice(), watchers: new Set() };
        }
        copies.set(inode, copy);
      }
      to.entries.set(name, copy);
    }
  }

  function touch(file: File): void {
    file.mtimeMs = nowMs();
    for (const watcher of file.watchers) watcher();
  }

  function takeRoom(path: string): void {
    if (disk.freeBytes <= 0) throw new DiskError("ENOSPC", path);
  }

  function giveBack(inode: Inode): void {
    visit(inode, (one) => {
      if (one.kind === "folder") return;
      one.links -= 1;
      if (one.links === 0) disk.freeBytes += one.size;
    });
  }

  function tryPlace(path: string): { parent: Folder; name: string } | null {
    const names = namesOf(path);
    const name = names.pop();
    let inode: Inode | undefined = root;
    for (const one of names) {
      if (inode?.kind !== "folder") return null;
      inode = inode.entries.get(one);
    }
    return inode?.kind === "folder" && name !== undefined ? { parent: inode, name } : null;
  }

  function place(path: string): { parent: Folder; name: string } {
    const found = tryPlace(path);
    if (found === null) throw new DiskError("ENOENT", path);
    return found;
  }

  function forget(folder: Folder): void {
    const names = new Set([...folder.entries.keys(), ...folder.durable.keys()]);
    for (const name of names) {
      const now = folder.entries.get(name);
      const before = folder.durable.get(name);
      const kept = now === before || random.chance(0.5) ? now : before;
      if (kept === undefined) folder.entries.delete(name);
      else folder.entries.set(name, kept);
    }
    folder.durable = new Map(folder.entries);
    for (const inode of folder.entries.values()) {
      if (inode.kind === "folder") forget(inode);
      else tear(inode);
    }
  }

  function tear(file: File): void {
    const { durable } = file;
    const isSame = file.size === durable.length && durable.every((byte, at) => byte === file.bytes[at]);
    file.watchers.clear();
    if (isSame) return;
    const now = file.bytes.subarray(0, file.size);
    const extends_ = now.length > durable.length && durable.every((byte, at) => byte === now[at]);
    let left: Uint8Array;
    if (extends_) {
      left = now.slice(0, random.int(durable.length, now.length));
      // The last sector may hold what was there before.
      if (disk.tearsTails && left.length > durable.length && random.chance(0.2)) {
        const from = Math.max(durable.length, left.length - random.int(1, 40));
        left.set(random.bytes(left.length - from), from);
      }
    } else {
      left = now.slice(0, random.chance(0.5) ? now.length : Math.min(now.length, durable.length));
      for (let at = 0; at < left.length; at += SECTOR_BYTES) {
        const old = durable.subarray(at, Math.min(at + SECTOR_BYTES, left.length));
        if (old.length > 0 && random.chance(0.5)) left.set(old, at);
      }
    }
    file.bytes = left.length === 0 ? new Uint8Array(FILE_BYTES_MIN) : left;
    file.size = left.length;
    file.durable = left.slice();
  }
}

function visit(inode: Inode, act: (inode: Inode) => void): void {
  act(inode);
  if (inode.kind === "folder") for (const inner of inode.entries.values()) visit(inner, act);
}

function namesOf(path: string): string[] {
  const names: string[] = [];
  for (const name of path.split("/")) {
    if (name === "" || name === ".") continue;
    if (name === "..") names.pop();
    else names.push(name);
  }
  return names;
}
