import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { formatPublicKey, parsePublicKey } from "../host-keys/public-key.ts";
import { sshKeygen } from "../testing/ssh-keygen.ts";
import { generateKey } from "./generate-key.ts";

test.each(["", "node gpu1", "ünïcode", "seven77"])(
  "[H40] ssh-keygen reads a generated key with the comment %j",
  (comment) => {
    const folder = mkdtempSync(join(tmpdir(), "nexus-key-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const file = join(folder, "key");
    const pair = generateKey(comment);
    writeFileSync(file, pair.privateKey, { mode: 0o600 });
    const shown = sshKeygen("-yf", file);
    expect(parsePublicKey(shown)).toEqual(pair.publicKey);
    expect(shown.trim()).toBe(formatPublicKey(pair.publicKey, comment));
  },
);
