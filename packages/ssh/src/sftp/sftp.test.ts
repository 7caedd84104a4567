import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { METACHARACTERS } from "../testing/metacharacters.ts";
import { connectTo } from "../testing/test-session.ts";
import { startTestSshd, type TestSshd } from "../testing/test-sshd.ts";
import { openSftp, startSftp } from "./sftp-client.ts";
import { OPEN } from "./sftp-packet.ts";
import { downloadFile, uploadFile } from "./transfer.ts";

let server: TestSshd;
let here: string;
let there: string;
beforeAll(async () => {
  server = await startTestSshd();
  here = join(server.folder, "here");
  there = join(server.folder, "there");
  mkdirSync(here);
  mkdirSync(there);
});
afterAll(() => server.close());

const BYTES = randomBytes(6 * 1024 * 1024 + 12_345);

describe("[H34] files", () => {
  test.each([0, 1, 32 * 1024, BYTES.length])("[H34] %i bytes go up and come back unharmed", async (size) => {
    const sftp = await openSftp(await connectTo(server));
    const [source, target, back] = [
      join(here, `up${size}`),
      join(there, `up${size}`),
      join(here, `back${size}`),
    ];
    writeFileSync(source, BYTES.subarray(0, size));
    const seen: number[] = [];
    const onProgress = ({ doneBytes }: { doneBytes: number }) => seen.push(doneBytes);
    expect(await uploadFile(sftp, { from: source, to: target }, { mode: 0o750, onProgress })).toEqual({
      bytes: size,
      resumedAtBytes: 0,
    });
    expect(seen.at(-1) ?? 0).toBe(size);
    expect(statSync(target).mode & 0o777).toBe(0o750);
    await downloadFile(sftp, { from: target, to: back });
    expect(readFileSync(back).equals(BYTES.subarray(0, size))).toBe(true);
    sftp.end();
  });

  test("[H34] an existing file is replaced in one step, and no partial file is left", async () => {
    const sftp = await openSftp(await connectTo(server));
    const folder = join(there, "replace");
    mkdirSync(folder);
    writeFileSync(join(folder, "f"), "old and longer than the new");
    writeFileSync(join(here, "f"), "new");
    await uploadFile(sftp, { from: join(here, "f"), to: join(folder, "f") });
    expect(readFileSync(join(folder, "f"), "utf8")).toBe("new");
    expect(readdirSync(folder)).toEqual(["f"]);
  });

  test("[H34] a transfer that was cut goes on near where it stopped, both ways", async () => {
    const [source, target] = [join(here, "cut"), join(there, "cut")];
    writeFileSync(source, BYTES);
    const stopAt = (bytes: number, abort: AbortController) => ({
      signal: abort.signal,
      onProgress: ({ doneBytes }: { doneBytes: number }) => {
        if (doneBytes >= bytes) abort.abort();
      },
    });
    const sftp = await openSftp(await connectTo(server));
    const up = uploadFile(sftp, { from: source, to: target }, stopAt(5e6, new AbortController()));
    await expect(up).rejects.toMatchObject({ failure: "cancelled" });
    expect(existsSync(target)).toBe(false);
    const again = await uploadFile(sftp, { from: source, to: target });
    expect(again.resumedAtBytes).toBeGreaterThan(500_000);
    expect(readFileSync(target).equals(BYTES)).toBe(true);

    const back = join(here, "cut-back");
    const down = downloadFile(sftp, { from: target, to: back }, stopAt(5e6, new AbortController()));
    await expect(down).rejects.toMatchObject({ failure: "cancelled" });
    expect(existsSync(back)).toBe(false);
    const resumed = await downloadFile(sftp, { from: target, to: back });
    expect(resumed.resumedAtBytes).toBeGreaterThan(500_000);
    expect(readFileSync(back).equals(BYTES)).toBe(true);
  });

  test("[H34] a source that changed meanwhile begins anew", async () => {
    const [source, target] = [join(here, "changed"), join(there, "changed")];
    const sftp = await openSftp(await connectTo(server));
    writeFileSync(source, BYTES);
    const abort = new AbortController();
    const onProgress = ({ doneBytes }: { doneBytes: number }) => doneBytes > 5e6 && abort.abort();
    await expect(
      uploadFile(sftp, { from: source, to: target }, { signal: abort.signal, onProgress }),
    ).rejects.toThrow();
    const other = Buffer.concat([Buffer.from("changed"), BYTES]);
    writeFileSync(source, other);
    expect(await uploadFile(sftp, { from: source, to: target })).toMatchObject({ resumedAtBytes: 0 });
    expect(readFileSync(target).equals(other)).toBe(true);
  });

  test("[H34] a cut connection refuses what is under way; a missing or forbidden file says which", async () => {
    const own = await startTestSshd();
    try {
      const sftp = await openSftp(await connectTo(own));
      await expect(
        downloadFile(sftp, { from: join(there, "none"), to: join(here, "none") }),
      ).rejects.toMatchObject({
        code: "not_found",
      });
      await expect(sftp.open("/no/such/folder/file", OPEN.write | OPEN.create)).rejects.toThrow(
        /\/no\/such\/folder/,
      );
      const handle = await sftp.open("/dev/zero", OPEN.read);
      own.cutAll();
      await expect(
        (async () => {
          for (let at = 0; ; at += 1) await sftp.read(handle, at, 1024);
        })(),
      ).rejects.toMatchObject({ failure: "connection_lost" });
    } finally {
      await own.close();
    }
  });

  test("[H34] a shell that prints before it speaks SFTP is told apart from a broken line", async () => {
    const stream = new PassThrough();
    const starting = startSftp(stream);
    stream.write("Welcome to the machine!\n");
    await expect(starting).rejects.toThrow(/no SFTP packet/);
  });

  test("[H13] names of files are names, whatever they hold", async () => {
    const sftp = await openSftp(await connectTo(server));
    for (const nasty of METACHARACTERS.map((one) => one.replaceAll("/", "_"))) {
      const source = join(here, nasty);
      writeFileSync(source, nasty);
      await uploadFile(sftp, { from: source, to: join(there, nasty) });
      await downloadFile(sftp, { from: join(there, nasty), to: `${source}-back` });
      expect(readFileSync(`${source}-back`, "utf8")).toBe(nasty);
    }
    expect(existsSync("/tmp/pwned") || existsSync(join(server.home, "pwned"))).toBe(false);
  });
});
