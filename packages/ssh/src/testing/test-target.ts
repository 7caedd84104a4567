import { createConnector, type SshTarget } from "../connect-target.ts";
import { trusting, withKey } from "./test-session.ts";
import type { TestSshd } from "./test-sshd.ts";

export async function targetOf(server: TestSshd, edit: Partial<SshTarget> = {}): Promise<SshTarget> {
  return {
    id: `t${server.port}`,
    user: server.user,
    credentials: withKey(server),
    verifier: await trusting(server),
    transports: [{ kind: "direct", host: server.host, port: server.port }],
    ...edit,
  };
}

/** With a clock that stands until it is moved. */
export function testConnector(env: Record<string, string | undefined> = {}) {
  const clock = { nowMs: 1_000_000 };
  // biome-ignore lint/style/noProcessEnv: proxies are programs of this machine
  const path = process.env.PATH;
  const connector = createConnector({
    programs: { env: { PATH: path, ...env } },
    nowMs: () => clock.nowMs,
  });
  return { connector, clock };
}
