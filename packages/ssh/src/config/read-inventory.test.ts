import { expect, test } from "vitest";
import { METACHARACTERS } from "../testing/metacharacters.ts";
import { guessFormat, readInventory } from "./read-inventory.ts";

const short = (text: string) =>
  readInventory(text).hosts.map(({ user, host, port }) => `${user ?? ""}@${host}:${port ?? ""}`);

test("[H44] a list has one machine a line, with a name where one is given; doubles count once", () => {
  const { hosts, problems } = readInventory(
    "# machines\nada@gpu1:2222 lab-1\n\ngpu2 # the old one\n[fe80::1]:22\nada@gpu1:2222\nbad host name x\n",
  );
  expect(hosts.map(({ host, port, user, name }) => [user, host, port, name])).toEqual([
    ["ada", "gpu1", 2222, "lab-1"],
    [undefined, "gpu2", undefined, undefined],
    [undefined, "fe80::1", 22, undefined],
  ]);
  expect(problems).toEqual([{ line: 7, message: "more than a destination and a name" }]);
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
