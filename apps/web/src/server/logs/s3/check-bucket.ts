import type { ObjectStore } from "./object-store.ts";

const PROBE = Buffer.from("Nexus looks whether it may write here. This can be removed.\n");

/** Does once each thing that logs need. @throws ObjectStoreError that says which of them the bucket refuses. */
export async function checkBucket(objects: ObjectStore, token: string): Promise<void> {
  const key = `check/${token}`;
  await objects.put(key, PROBE);
  await objects.get(key, 1, 2);
  await objects.list("check/");
  await objects.remove(key);
}
