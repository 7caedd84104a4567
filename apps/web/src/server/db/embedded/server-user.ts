import { readFileSync, statSync } from "node:fs";
import { userInfo } from "node:os";
import { NexusError } from "@nexus/shared/errors";

/** Who runs the server processes. Postgres refuses root, so root lends them to a user without rights. */
export type ServerUser = { name: string; uid: number; gid: number; isLent: boolean };

/**
 * As a normal user: that user. As root: whoever owns the data already, else `postgres`, else `nobody`.
 * `data` of another user is refused rather than taken over.
 */
export function chooseServerUser(dataDir: string): ServerUser {
  const me = whoAmI();
  const data = statSync(dataDir, { throwIfNoEntry: false });
  if (me.uid !== 0) {
    if (data && data.uid !== me.uid)
      throw new NexusError("forbidden", {
        detail: `${dataDir} belongs to user id ${data.uid}, you are ${me.uid}. Start as that user, or choose another NEXUS_HOME.`,
      });
    return { ...me, isLent: false };
  }
  if (process.platform !== "linux")
    throw new NexusError("forbidden", {
      detail: "The embedded Postgres does not run as root here. Start as a normal user, or set DATABASE_URL.",
    });
  const accounts = readAccounts();
  const owner = data && accounts.find((account) => account.uid === data.uid);
  const wanted = owner ?? byName(accounts, "postgres") ?? byName(accounts, "nobody");
  if (!wanted || wanted.uid === 0 || (data && !owner))
    throw new NexusError("forbidden", {
      detail: `Postgres refuses to run as root, and there is no user ${data ? `with id ${data.uid}` : "postgres or nobody"}. Start as a normal user, or set DATABASE_URL.`,
    });
  return { ...wanted, isLent: true };
}

function whoAmI(): { name: string; uid: number; gid: number } {
  try {
    const { username, uid, gid } = userInfo();
    return { name: username, uid, gid };
  } catch (cause) {
    // Postgres looks its own name up and gives up without one; containers started with a bare user id have none.
    throw new NexusError("forbidden", {
      detail: `User id ${process.getuid?.()} has no name on this machine (no entry in /etc/passwd), and Postgres needs one. Use a named user, or set DATABASE_URL.`,
      cause,
    });
  }
}

function readAccounts(): { name: string; uid: number; gid: number }[] {
  return readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"))
    .map(([name = "", , uid = "", gid = ""]) => ({ name, uid: Number(uid), gid: Number(gid) }))
    .filter((account) => account.name !== "" && Number.isInteger(account.uid));
}

function byName<T extends { name: string }>(accounts: T[], name: string): T | undefined {
  return accounts.find((account) => account.name === name);
}
