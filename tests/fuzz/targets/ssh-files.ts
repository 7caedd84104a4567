import { parseDestination } from "@nexus/ssh/config/host-settings";
import { readInventory } from "@nexus/ssh/config/read-inventory";
import { resolveHost } from "@nexus/ssh/config/resolve-host";
import { knownOfHost, parseKnownHosts } from "@nexus/ssh/host-keys/known-hosts";
import { SshError } from "@nexus/ssh/ssh-error";
import { BrokenPromise, parserTarget } from "../engine/fuzz-target.ts";

const KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ1q0Qx3c0jvVn3nJc1m2k3l4n5o6p7q8r9s0t1u2v3w";
/** What a person may upload, and the API takes. */
const HOSTS_MAX = 10_000;

export const knownHostsTarget = parserTarget({
  name: "known-hosts",
  format: "text",
  words: ["@revoked ", "@cert-authority ", "|1|", "*", "!", ",", "[h]:2222", KEY, "#"],
  seeds: [
    `h ${KEY} comment\n[h]:2222,*.lab,!x ${KEY}\n`,
    `@revoked * ${KEY}\n@cert-authority *.lab ${KEY}\n|1|c2FsdA==|aGFzaA== ${KEY}\n# note\n`,
  ],
  feed(input) {
    const known = parseKnownHosts(textOf(input));
    for (const name of ["h", "[h]:2222", "a.lab"]) knownOfHost(known, name);
  },
});

export const sshConfigTarget = parserTarget({
  name: "ssh-config",
  format: "text",
  words: [
    "Host *\n",
    "Match all\n",
    "Match final\n",
    "Match exec ",
    "ProxyJump a,b@c:1\n",
    "Port ",
    "Include x\n",
    '"',
    "%h",
    "none",
  ],
  seeds: [
    'Host gpu* !gpu9\n  HostName %h.lab\n  User "ada b"\n  Port 2222\n  IdentityFile ~/.ssh/a\n  ProxyJump u@j:22,k\n',
    "Match final host h user x localuser y\n  HostName=z\nMatch exec true\nInclude f\nConnectTimeout 5\nUserKnownHostsFile a b\n",
  ],
  feed(input) {
    refusing(() =>
      resolveHost(
        {
          name: "config",
          text: textOf(input),
          readInclude: () => [{ name: "f", text: "Host h\nHostName i\nInclude f\n" }],
        },
        { alias: "h", localUser: "ada" },
      ),
    );
  },
});

export const inventoryTarget = parserTarget({
  name: "inventory",
  format: "text",
  words: [
    "[a]\n",
    "[all:vars]\n",
    "[a:children]\n",
    "ansible_host=",
    "ansible_port=",
    "[1:9999]",
    "[a:z]",
    "[01:20:2]",
    "\n",
    "ssh://",
    '"',
    ";",
  ],
  seeds: [
    "ada@gpu1.lab:2222 one\ngpu2.lab\n[::1]:22 # note\nssh://u@h:1/\n",
    "[gpu]\ngpu[01:10].lab ansible_user=ada ansible_port=2222\nrack[a:c] ansible_host=10.0.0.1 x='y z'\n[all:children]\ngpu\n[gpu:vars]\nansible_ssh_common_args='-J u@j'\n",
  ],
  feed(input) {
    const text = textOf(input);
    for (const format of [undefined, "list", "ansible"] as const) {
      const { hosts } = readInventory(text, format);
      if (hosts.length > HOSTS_MAX) throw new BrokenPromise(`${hosts.length} machines`);
      for (const { host, port } of hosts) parseDestination(`[${host}]:${port ?? 22}`);
    }
  },
});

function refusing(work: () => unknown): void {
  try {
    work();
  } catch (cause) {
    if (!(cause instanceof SshError)) throw cause;
  }
}

const textOf = (input: Uint8Array): string => Buffer.from(input).toString();
