import { runScript } from "../exec/run-remote.ts";
import { formatPublicKey, type PublicKey, parsePublicKey } from "../host-keys/public-key.ts";
import type { SshSession } from "../session.ts";
import { SshError } from "../ssh-error.ts";

export type AuthorizedKey = {
  key: PublicKey;
  comment: string;
  /** Nothing but what is named here may be done with the key: no terminals, forwards or agents. */
  restrict?: {
    /** The one command that it runs. */
    command?: string;
    /** The addresses that it may come from. */
    from?: readonly string[];
    /** What `restrict` takes away and this key needs after all. */
    allow?: readonly ("pty" | "port-forwarding")[];
    /** `host:port` of all that it may lead on to, as whoever uses it names them. */
    permitOpen?: readonly string[];
  };
};

const COMMENT = /^[^\0\r\n]*$/;
const ADDRESS = /^[A-Za-z0-9._:%/*?![\]-]+$/;

/**
 * Changes `~/.ssh/authorized_keys` by one key. The key is found by its blob, whatever stands around it, so that there is
 * never a second line for it. Folder and file get the modes that sshd insists on. The file is replaced by rename, or
 * written in place where it is a link; a lock folder keeps two of us from losing each other's line.
 *
 * `$1` is `put` or `drop`, `$2` the blob, `$3` the line. They are arguments: no text is built from them.
 */
const SCRIPT = `
set -u
umask 077
action=$1 blob=$2 line=$3
folder=$HOME/.ssh
file=$folder/authorized_keys
lock=$folder/.authorized_keys.nexus-lock
mkdir -p "$folder" && chmod 700 "$folder" || exit 1
tries=0
until mkdir "$lock" 2>/dev/null; do
  if [ -n "$(find "$lock" -prune -mmin +1 2>/dev/null)" ]; then rmdir "$lock" 2>/dev/null; fi
  tries=$((tries + 1))
  if [ "$tries" -gt 200 ]; then echo "another change of authorized_keys does not end" >&2; exit 1; fi
  sleep 0.05 2>/dev/null || sleep 1
done
new=$lock/new
trap 'rm -f "$new"; rmdir "$lock" 2>/dev/null' EXIT
trap 'exit 1' HUP INT TERM
if [ -e "$file" ]; then old=$file; else old=/dev/null; fi
awk -v blob="$blob" '{ for (i = 1; i <= NF; i++) if ($i == blob && $1 !~ /^#/) next; print }' "$old" >"$new" || exit 1
if [ "$action" = put ]; then printf '%s\\n' "$line" >>"$new" || exit 1; fi
if cmp -s "$new" "$old"; then
  echo unchanged
elif [ -L "$file" ]; then
  cat "$new" >"$file" && echo changed || exit 1
else
  mv "$new" "$file" && echo changed || exit 1
fi
if [ -e "$file" ]; then chmod 600 "$file" || exit 1; fi
if command -v restorecon >/dev/null 2>&1; then restorecon "$folder" "$file" 2>/dev/null; fi
true
`;

/** Returns whether anything had to change. Safe to repeat; a key that was there with other options gets these. */
export async function installKey(session: SshSession, authorized: AuthorizedKey): Promise<boolean> {
  return change(session, ["put", authorized.key.base64, formatAuthorizedKey(authorized)]);
}

/** Every line of the key goes. Returns whether there was one. */
export async function revokeKey(session: SshSession, key: PublicKey): Promise<boolean> {
  return change(session, ["drop", key.base64, ""]);
}

export function formatAuthorizedKey({ key, comment, restrict }: AuthorizedKey): string {
  if (!COMMENT.test(comment)) throw new SshError("config_invalid", "A comment is one line.");
  const line = formatPublicKey(key, comment.trim());
  if (parsePublicKey(line) === undefined) throw new SshError("config_invalid", "This is no public key.");
  if (restrict === undefined) return line;
  const { command, from = [], allow = [], permitOpen = [] } = restrict;
  if (command !== undefined && !COMMENT.test(command)) {
    throw new SshError("config_invalid", "A bound command is one line.");
  }
  const odd = [...from, ...permitOpen].find((address) => !ADDRESS.test(address));
  if (odd !== undefined)
    throw new SshError("config_invalid", `${JSON.stringify(odd)} is no address or pattern`);
  const options = [
    "restrict",
    ...allow,
    ...(command === undefined ? [] : [`command="${command.replaceAll('"', '\\"')}"`]),
    ...(from.length === 0 ? [] : [`from="${from.join(",")}"`]),
    ...permitOpen.map((place) => `permitopen="${place}"`),
  ];
  return `${options.join(",")} ${line}`;
}

async function change(session: SshSession, args: string[]): Promise<boolean> {
  const text = await runScript(session, { what: "changing authorized_keys", text: SCRIPT, args });
  const word = text.trim().split("\n").at(-1);
  if (word !== "changed" && word !== "unchanged") {
    throw new SshError("remote_refused", `The machine answered ${JSON.stringify(text.slice(0, 200))}`);
  }
  return word === "changed";
}
