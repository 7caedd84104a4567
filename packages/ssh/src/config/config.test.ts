import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { METACHARACTERS } from "../testing/metacharacters.ts";
import { askSsh } from "./ask-ssh.ts";
import { expandPath, expandTokens } from "./expand-tokens.ts";
import { checkUser, parseDestination } from "./host-settings.ts";
import { type ConfigSource, type HostQuery, resolveHost } from "./resolve-host.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "nexus-config-"));
  mkdirSync(join(folder, "conf.d"));
  writeFileSync(join(folder, "conf.d/10-lab"), "Host lab*\n  User from-include\n  Port 2210\n");
  writeFileSync(join(folder, "conf.d/20-all"), "IdentityFile ~/.ssh/included\n");
});
afterAll(() => rmSync(folder, { recursive: true }));

const localUser = userInfo().username;

/** Each with the hosts to ask about. The answers of `ssh -G` are the expectation. */
const CORPUS: [name: string, text: string, queries: Omit<HostQuery, "localUser">[]][] = [
  ["nothing", "", [{ alias: "gpu1" }, { alias: "GPU1" }, { alias: "gpu1", user: "u", port: 99 }]],
  [
    "first value wins",
    "Host gpu1\n Port 1001\n User one\nHost gpu*\n Port 1002\n User two\n HostName real.example\n",
    [{ alias: "gpu1" }, { alias: "gpu2" }, { alias: "other" }, { alias: "gpu1", user: "cli" }],
  ],
  [
    "patterns and negation",
    "Host *.example !bad.example\n User a\nHost ?pu\n User b\nHost !x y\n User c\nHost !z\n User d\n",
    ["a.example", "bad.example", "gpu", "ggpu", "x", "y", "z"].map((alias) => ({ alias })),
  ],
  [
    "equals, quotes, comments, case, indents",
    'hOsT=a "b c" d\n\tUSER = "quoted"\n  Port\t2000 # a comment\n\n# Host x\nHost "e"\nUser=plain#not\n',
    [{ alias: "a" }, { alias: "d" }, { alias: "e" }],
  ],
  [
    "tokens in HostName",
    "Host t1\n HostName %h.example.org\nHost t2\n HostName 100%%.example\nHost T3\n HostName UPPER.Example\n",
    [{ alias: "t1" }, { alias: "t2" }, { alias: "T3" }],
  ],
  [
    "identity files collect",
    "Host *\n IdentityFile ~/.ssh/one\nHost i\n IdentityFile %d/.ssh/two\n IdentityFile ~/.ssh/one\n CertificateFile ~/.ssh/c1\n CertificateFile ~/.ssh/c2\n IdentitiesOnly yes\n",
    [{ alias: "i" }, { alias: "j" }],
  ],
  [
    "ProxyJump",
    "Host p1\n ProxyJump bastion\nHost p2\n ProxyJump u@b1:2201,b2,[::1]:22\n ProxyCommand never\nHost p3\n ProxyJump none\nHost p*\n ProxyJump fallback\n",
    [{ alias: "p1" }, { alias: "p2" }, { alias: "p3" }, { alias: "p4" }, { alias: "q" }],
  ],
  [
    "ProxyCommand",
    'Host c1\n ProxyCommand ssh -W "[%h]:%p" -- bastion # part\n ProxyJump late\nHost c2\n ProxyCommand none\n ProxyCommand second\nHost c3\n ProxyCommand=nc %h %p\n',
    [{ alias: "c1" }, { alias: "c2" }, { alias: "c3" }],
  ],
  [
    "Match",
    `Host m1 m2
 HostName real-%h
Match host real-m1
 User matched
Match originalhost m2 user ${localUser}
 Port 2022
Match !host real-*
 User not-real
Match all
 IdentitiesOnly yes
Match user matched
 Port 2033
Match localuser nobody-here
 Port 1
`,
    [{ alias: "m1" }, { alias: "m2" }, { alias: "m3" }, { alias: "m2", user: "x" }],
  ],
  [
    "Match final",
    "Match final host late.example\n User final\nHost f\n HostName late.example\nHost g\n HostName late.example\n User early\n",
    [{ alias: "f" }, { alias: "g" }],
  ],
  [
    "Include at the top",
    "Include FOLDER/conf.d/*\nHost lab1\n User late\n",
    [{ alias: "lab1" }, { alias: "x" }],
  ],
  [
    "Include in a block",
    "Host lab1\n Include FOLDER/conf.d/*\nHost lab*\n User late\n",
    [{ alias: "lab1" }, { alias: "lab2" }, { alias: "x" }],
  ],
  [
    "more keywords",
    'Host k\n HostKeyAlias alias-of-k\n UserKnownHostsFile ~/a "~/b"\n ConnectTimeout 7\n IdentityAgent SSH_AUTH_SOCK\n ServerAliveInterval 3\n Ciphers aes128-ctr\n',
    [{ alias: "k" }],
  ],
];

describe("[H20] a configuration that nobody runs says what ssh -G says", () => {
  const cases = CORPUS.flatMap(([name, text, queries]) =>
    queries.map((query) => [`${name}: ${query.user ?? ""} ${query.alias}`, text, query] as const),
  );
  test.each(cases)("[H20] %s", async (_name, raw, query) => {
    const text = raw.replaceAll("FOLDER", folder);
    const file = join(folder, "config");
    writeFileSync(file, text);
    const theirs = await askSsh({ ...query, configFile: file });
    const source: ConfigSource = {
      name: "config",
      text,
      readInclude: (pattern) =>
        globSync(pattern)
          .sort()
          .map((path) => ({ name: path, text: readFileSync(path, "utf8") })),
    };
    const { settings, problems } = resolveHost(source, { ...query, localUser });
    expect(problems).toEqual([]);
    // Defaults that only the real one prints.
    const wanted = {
      ...theirs,
      identityFiles: settings.identityFiles.length === 0 ? [] : theirs.identityFiles,
      userKnownHostsFiles:
        settings.userKnownHostsFiles.length === 0
          ? []
          : theirs.userKnownHostsFiles.map((path) => path.replace(userInfo().homedir, "~")),
      connectTimeoutS: settings.connectTimeoutS === undefined ? undefined : theirs.connectTimeoutS,
    };
    expect(settings).toEqual(wanted);
  });
});

test("[H21] Match exec is never run, and neither it nor an Include without files goes unsaid", () => {
  const file = join(folder, "ran");
  const text = `Match exec "touch ${file}"\n User pwned\nHost *\n User ok\nInclude more\nMatch exec\nMatch tagged x\nHost "open\n`;
  const { settings, problems } = resolveHost({ name: "mine", text }, { alias: "a", localUser });
  expect(settings.user).toBe("ok");
  expect(existsSync(file)).toBe(false);
  expect(problems).toEqual([
    { where: "mine", line: 8, message: "a quote is not closed" },
    { where: "mine", line: 1, message: expect.stringMatching(/not run here/) },
    { where: "mine", line: 5, message: expect.stringMatching(/Include is not followed/) },
    { where: "mine", line: 6, message: "Match exec has no value" },
    { where: "mine", line: 7, message: expect.stringMatching(/tagged is not understood/) },
  ]);
});

test("[H21] files that include each other end", () => {
  const source: ConfigSource = {
    name: "a",
    text: "Include a\n",
    readInclude: () => [{ name: "a", text: "Include a\n" }],
  };
  const { problems } = resolveHost(source, { alias: "a", localUser });
  expect(problems).toEqual([{ where: "a", line: 1, message: "files include each other without end" }]);
});

test("[H13] hosts and users that could be options or commands are refused before ssh or a shell sees them", async () => {
  const usable = { settings: resolveHost({ name: "", text: "" }, { alias: "a", localUser }).settings };
  for (const nasty of [...METACHARACTERS, "", "-oProxyCommand=x", "a b", "a;b"]) {
    await expect(askSsh({ alias: nasty })).rejects.toMatchObject({ failure: "config_invalid" });
    expect(() => checkUser(nasty)).toThrow(/name of a user/);
    expect(() => parseDestination(`u@${nasty}`)).toThrow();
    const settings = { ...usable.settings, hostName: nasty, user: nasty };
    const context = { settings, localUser, localHome: "/home/x", localHost: "here" };
    expect(() => expandTokens("nc %h", context)).toThrow(/host/);
    expect(() => expandTokens("nc %r", context)).toThrow(/user/);
  }
});

test("[H20] tokens and the home folder are filled in", () => {
  const { settings } = resolveHost(
    { name: "", text: "Host a\n HostName real\n HostKeyAlias key\n" },
    { alias: "a", user: "me", port: 2200, localUser: "local" },
  );
  const context = { settings, localUser: "local", localHome: "/home/l", localHost: "pc.lan" };
  expect(expandTokens("%h %n %p %r %u %k %d %l %L %%", context)).toBe(
    "real a 2200 me local key /home/l pc.lan pc %",
  );
  expect(expandPath("~/.ssh/%n", context)).toBe("/home/l/.ssh/a");
  expect(() => expandTokens("%Z", context)).toThrow(/%Z/);
});

test.each([
  ["h", { host: "h", port: undefined, user: undefined }],
  ["u@h:22", { host: "h", port: 22, user: "u" }],
  ["u@[fe80::1]:2200", { host: "fe80::1", port: 2200, user: "u" }],
  ["::1", { host: "::1", port: undefined, user: undefined }],
  ["ssh://u@h:5/", { host: "h", port: 5, user: "u" }],
])("[H20] %s is a destination", (text, destination) => {
  expect(parseDestination(text)).toEqual(destination);
});
