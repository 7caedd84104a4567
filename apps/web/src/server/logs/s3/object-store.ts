import { NexusError } from "@nexus/shared/errors";

/** What logs need of an object store. Every call has a time limit, and fails with an `ObjectStoreError`. */
export type ObjectStore = {
  /** Its bucket and address, for people. */
  readonly name: string;
  /** Resolves when the object is there as a whole. */
  put(key: string, bytes: Uint8Array): Promise<void>;
  /** The bytes from `from` on, exactly `length` of them. */
  get(key: string, from: number, length: number): Promise<Uint8Array>;
  list(prefix: string): Promise<StoredObject[]>;
  /** Also when there is none. */
  remove(key: string): Promise<void>;
};

export type StoredObject = { key: string; size: number };

/**
 * `away`: no answer, or that it cannot now. `refused`: the bucket, the keys or the rights are not right, which a person must
 * mend. `missing`: there is no such object.
 */
export type ObjectStoreTrouble = "away" | "refused" | "missing";

export class ObjectStoreError extends NexusError {
  readonly trouble: ObjectStoreTrouble;

  constructor(trouble: ObjectStoreTrouble, detail: string, cause?: unknown) {
    super("unavailable", { detail, cause });
    this.trouble = trouble;
  }
}
