import { expect, test } from "vitest";
import { METACHARACTERS } from "../testing/metacharacters.ts";
import { guessFormat, readInventory } from "./read-inventory.ts";

const short = (text: string) =>
  readInventory(text).hosts.map(({ user, host, port }) => `${user ?? ""}@${host}:${port ?? ""}`);

test("[H44] a list has one machine a line, with a name where one is given; doubles count once, and are told", () => {
  const { hosts, problems } = readInventory(
    "# machines\nada@gpu1:2222 lab-1\n\ngpu2 # the old one\n[fe80::1]:22\nada@gpu1:2222\nbad host name x\n",
  );
  expect(hosts.map(({ host, port, user, name }) => [user, host, port, name])).toEqual([
    ["ada", "gpu1", 2222, "lab-1"],
    [undefined, "gpu2", undefined, undefined],
    [undefined, "fe80::1", 22, undefined],
  ]);
  expect(problems).toEqual([
    { line: 6, message: "the same machine as lab-1, which counts" },
    { line: 7, message: "more than a destination and a name" },
  ]);
});

test("[H44] an inventory's groups, ranges, children and variables are read as Ansible reads them", () => {
  const text = `
mail ansible_connection=local
[gpu]
gpu[08:10].lab ansible_port=2200
special ansible_host=10.0.0.5 ansible_user='root' ansible_ssh_private_key_file=~/.ssh/lab
[racks]
rack[a:b]
[gpu:vars]
ansible_user=ada
[all:vars]
ansible_user=nobody
ansible_ssh_common_args='-o ProxyJump=jump@bastion:22'
[everything:children]
gpu
`;
  expect(guessFormat(text)).toBe("ansible");
  expect(short(text)).toEqual([
    "ada@gpu08.lab:2200",
    "ada@gpu09.lab:2200",
    "ada@gpu10.lab:2200",
    "root@10.0.0.5:",
    "nobody@racka:",
    "nobody@rackb:",
  ]);
  const { hosts, problems } = readInventory(text);
  expect(hosts[3]).toMatchObject({ identityFile: "~/.ssh/lab", jump: "jump@bastion:22", alias: "special" });
  expect(problems).toEqual([{ line: 0, message: "mail: its connection is local, not ssh" }]);
});

test("[H44] what is wrong with one machine of an inventory is told of it, and the others go on", () => {
  const { hosts, problems } = readInventory(
    [
      "[gpu]",
      "one ansible_host=10.0.0.1",
      "two ansible_host=10.0.0.2 ansible_user='no such user'",
      "three ansible_host=10.0.0.1",
      "four ansible_host=10.0.0.4 ansible_ssh_common_args='-J $(reboot)'",
      "five ansible_host=10.0.0.1 ansible_ssh_common_args='-J bastion'",
    ].join("\n"),
  );
  expect(hosts.map(({ alias, host }) => [alias, host])).toEqual([
    ["one", "10.0.0.1"],
    ["five", "10.0.0.1"],
  ]);
  expect(problems.map(({ message }) => message)).toEqual([
    'two: "no such user" cannot be the name of a user',
    "three: the same machine as one, which counts",
    'four: "$(reboot)" cannot be the name or address of a host',
  ]);
});

test("[H13] names with metacharacters are no machines", () => {
  for (const nasty of METACHARACTERS) {
    for (const text of [`${nasty}@host`, `[g]\nx ansible_host=${nasty}`]) {
      for (const { host, user } of readInventory(text).hosts) {
        expect(host).toMatch(/^[A-Za-z0-9_.:%-]+$/);
        expect(user ?? "x").toMatch(/^[A-Za-z0-9_.@+\\-]+$/);
      }
    }
  }
});

test("[H44] a large file is read: nested groups, doubles and their bounds", () => {
  const hosts = Array.from({ length: 3000 }, (_, at) => `h${at}`);
  const nested = Array.from({ length: 900 }, (_, at) => `[g${at + 1}:children]\ng${at}`);
  const deep = readInventory(["[g0]", ...hosts, ...nested, "[g900:vars]", "ansible_user=ada"].join("\n"));
  expect(deep.problems).toEqual([]);
  expect(deep.hosts).toHaveLength(3000);
  expect(deep.hosts.every(({ user }) => user === "ada")).toBe(true);

  // A group of its own for each machine: nothing that one machine learnt helps the next.
  const own = hosts.slice(0, 100).flatMap((host, at) => [`[g${at}]`, host]);
  expect(readInventory([...own, ...nested].join("\n")).hosts).toHaveLength(100);

  const long = readInventory(Array.from({ length: 40_000 }, (_, at) => `m${at}`).join("\n"));
  expect(long.hosts).toHaveLength(10_000);
  expect(long.problems[0]).toEqual({ line: 10_001, message: "more than 10000 machines" });

  const ranges = readInventory("[g]\nh[1:9999]-[1:9999]");
  expect(ranges.hosts).toHaveLength(10_000);
  expect(ranges.problems).toEqual([{ line: 2, message: "more than 10000 machines" }]);

  const many = readInventory(Array.from({ length: 1002 }, (_, at) => `[g${at}]\nh${at}`).join("\n"));
  expect(many.problems[0]).toEqual({ line: 2001, message: "more than 1000 groups" });
});

test("[W70] of a text that is no list of machines a thousand lines are named, and the rest is left out", () => {
  const { hosts, problems } = readInventory("a b c\n".repeat(100_000));
  expect(hosts).toEqual([]);
  expect(problems).toHaveLength(1001);
  expect(problems.at(-1)).toEqual({
    line: 1001,
    message: "this is no list of machines: the rest is left out",
  });
});

test("[W70] blank lines and long values are read in one pass", () => {
  expect(readInventory("\n".repeat(1_000_000))).toEqual({ hosts: [], problems: [] });
  const value = `a${" ".repeat(500_000)}b`;
  const { hosts, problems } = readInventory(`[a]\nh\n[a:vars]\nansible_user=${value}\n`);
  expect(hosts).toEqual([]);
  expect(problems[0]?.message.length).toBeLessThan(400);
});
