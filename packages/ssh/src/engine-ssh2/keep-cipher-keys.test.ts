import { connect } from "node:net";
import { Client } from "ssh2";
import { expect, onTestFinished, test } from "vitest";
import { startTestSshd } from "../testing/test-sshd.ts";
import { keepCipherKeys } from "./keep-cipher-keys.ts";

test.each([
  ["aes128-gcm@openssh.com", true],
  ["aes256-ctr", false],
] as const)(
  "[H7] cipher keys are made once with %s: %s, also after the keys are renewed",
  async (cipher, isKept) => {
    // A limit of 1 MiB makes the server renew the keys in the middle.
    const server = await startTestSshd({ lines: ["RekeyLimit 1M"] });
    onTestFinished(() => server.close());
    const client = new Client();
    onTestFinished(() => void client.end());
    const kept: boolean[] = [];
    client.on("handshake", () => {
      queueMicrotask(() => {
        const { incoming, outgoing } = keepCipherKeys(client);
        kept.push(incoming, outgoing);
      });
    });
    const ready = new Promise<void>((resolve, reject) => {
      client.once("ready", resolve);
      client.once("error", reject);
    });
    client.connect({
      sock: connect({ host: server.host, port: server.port, noDelay: true }),
      username: server.user,
      privateKey: server.userKey.privateKey,
      hostVerifier: () => true,
      algorithms: { cipher: [cipher] },
    });
    await ready;
    const size = await new Promise<number>((resolve, reject) => {
      client.exec("head -c 5000000 /dev/zero", (error, channel) => {
        if (error) return reject(error);
        let bytes = 0;
        channel.on("data", (chunk: Buffer) => {
          bytes += chunk.length;
        });
        channel.on("end", () => resolve(bytes));
        channel.stderr.resume();
      });
    });
    expect(size).toBe(5_000_000);
    expect(kept.length).toBeGreaterThan(2);
    expect(new Set(kept)).toEqual(new Set([isKept]));
  },
);
