/**
 * Public ids: a prefix that names the noun, `_`, and 10 characters of Crockford's base32 in lower case (50 bits, no i l o u).
 * Inside the database rows are keyed by bigint; these are what people and the wire see.
 */
export const ID_PREFIX = {
  team: "tm",
  user: "u",
  member: "m",
  apiKey: "k",
  target: "t",
  queue: "q",
  job: "j",
  attempt: "a",
  enrollToken: "et",
  session: "s",
  event: "e",
  sshRun: "sr",
} as const;

export type IdNoun = keyof typeof ID_PREFIX;

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const LENGTH = 10;

/** @param randomBytes gives `count` random bytes; passed in, so that simulations own their randomness. */
export function newId(noun: IdNoun, randomBytes: (count: number) => Uint8Array): string {
  let id = `${ID_PREFIX[noun]}_`;
  for (const byte of randomBytes(LENGTH)) id += ALPHABET[byte & 31];
  return id;
}

export function isId(noun: IdNoun, text: string): boolean {
  return new RegExp(`^${ID_PREFIX[noun]}_[${ALPHABET}]{${LENGTH}}$`).test(text);
}
