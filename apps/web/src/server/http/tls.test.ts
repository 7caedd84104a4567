import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { sha256 } from "@nexus/shared/crypto/fingerprint";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadOrCreateTls } from "./tls.ts";

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "nexus-tls-"));
});
afterEach(() => rm(home, { recursive: true, force: true }));

describe("certificate of our own", () => {
  it("[E5] the pin is that of the public key that the server shows", async () => {
    const tls = await loadOrCreateTls(home, ["localhost", "127.0.0.1"]);
    const server = createServer(tls).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const socket = connect({ port, host: "127.0.0.1", ca: tls.cert, servername: "localhost" });
    await once(socket, "secureConnect");
    const shown = socket.getPeerX509Certificate()?.publicKey.export({ type: "spki", format: "der" });
    expect(sha256(shown ?? "")).toBe(tls.spkiPin);
    socket.destroy();
    server.close();
  });

  it("[E5] the key stays when the certificate is made anew for other hosts", async () => {
    const first = await loadOrCreateTls(home, ["localhost"]);
    const same = await loadOrCreateTls(home, ["localhost"]);
    const other = await loadOrCreateTls(home, ["localhost", "gpu.example.org", "10.0.0.7", "fd00::1:2"]);
    expect(same).toEqual(first);
    expect(other.cert).not.toBe(first.cert);
    expect(other.spkiPin).toBe(first.spkiPin);
    expect(new X509Certificate(other.cert).subjectAltName).toContain("gpu.example.org");
    expect(new X509Certificate(other.cert).checkIP("fd00::1:2")).toBe("fd00::1:2");
    expect((await stat(join(home, "tls", "key.pem"))).mode & 0o777).toBe(0o600);
  });
});
