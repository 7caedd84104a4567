/**
 * Accounts as the rest of the server sees them; `auth/create-accounts.ts` implements it. Every answer carries the `set-cookie`
 * headers that the browser must get, and nothing else of the session leaves the server.
 */
export type SetCookies = { setCookies: string[] };

export type Accounts = {
  /** The session's token out of a signed cookie; null when the signature or the session is not good. */
  sessionToken(cookie: string): Promise<string | null>;
  /** Moves the session's end ahead when it is due. @returns null when there is no session. */
  refresh(headers: Headers): Promise<SetCookies | null>;
  /** @throws NexusError unauthenticated, the same for an unknown address and a wrong password. */
  signIn(credentials: { email: string; password: string; headers: Headers }): Promise<SetCookies>;
  /** For the holder of a one-time link. */
  openSession(userId: string, headers: Headers): Promise<SetCookies>;
  signOut(headers: Headers): Promise<SetCookies>;
  /** @throws NexusError bad_request when the new one is too short or long, forbidden when the present one is wrong. */
  setPassword(change: PasswordChange): Promise<void>;
};

export type PasswordChange = {
  userId: string;
  newPassword: string;
  /** Null where the caller proved the account in another way. */
  currentPassword: string | null;
};
