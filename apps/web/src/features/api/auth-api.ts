import { HttpProblem } from "./http-problem.ts";

export type AuthState = { hasOwner: boolean; signedIn: boolean };

export type AuthApi = {
  state(): Promise<AuthState>;
  signIn(email: string, password: string): Promise<void>;
  /** Redeems the secret of a one-time link. */
  openLink(link: string): Promise<void>;
  setPassword(newPassword: string, currentPassword: string | undefined): Promise<void>;
  signOut(): Promise<void>;
};

export function createAuthApi(origin: string): AuthApi {
  async function send(route: string, init: RequestInit): Promise<unknown> {
    const response = await fetch(`${origin}/api/auth/${route}`, {
      credentials: "same-origin",
      cache: "no-store",
      ...init,
    });
    if (!response.ok) throw await HttpProblem.of(response);
    return response.json();
  }
  async function post(route: string, body: object): Promise<void> {
    await send(route, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  }
  return {
    state: async () => (await send("state", {})) as AuthState,
    signIn: (email, password) => post("sign-in", { email, password }),
    openLink: (link) => post("link", { link }),
    setPassword: (newPassword, currentPassword) => post("password", { newPassword, currentPassword }),
    signOut: () => post("sign-out", {}),
  };
}
