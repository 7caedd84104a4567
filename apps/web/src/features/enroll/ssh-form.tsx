"use client";
import type { InputOf, OutputOf } from "@nexus/shared/api/contract";
import { AGENTLESS_LIMITS, type SshTransport } from "@nexus/shared/api/ssh";
import { NexusError } from "@nexus/shared/errors";
import { isLoopbackOrigin } from "@nexus/shared/protocol/origin";
import { parseTransports } from "@nexus/shared/ssh-transports";
import { type FormEvent, useState, useSyncExternalStore } from "react";
import { Button } from "../../ui/button.tsx";
import { Checkbox } from "../../ui/checkbox.tsx";
import { Field, Input, TextArea } from "../../ui/field.tsx";
import { parseLabels } from "../../ui/labels-text.ts";
import { Segmented } from "../../ui/segmented.tsx";
import { InlineProblem } from "../../ui/view-state.tsx";
import { useApi } from "../api/api-context.tsx";
import { useRoleReason } from "../api/me.ts";
import { problemOf } from "../api/problem.ts";
import { DIRECT, TransportFields, tokenOf } from "./transport-fields.tsx";

type LogIn = "key" | "password";
type Brings = "agent" | "nothing";
type Found = OutputOf<"ssh.readHosts">["hosts"][number];
type Machine = NonNullable<InputOf<"ssh.start">["hosts"]>[number];

export function SshForm({ onStarted }: { onStarted: (id: string) => void }) {
  const api = useApi();
  const reason = useRoleReason("admin");
  const [machines, setMachines] = useState("");
  const [user, setUser] = useState("");
  const [jump, setJump] = useState("");
  const [transports, setTransports] = useState(DIRECT);
  const [labels, setLabels] = useState("");
  const [logIn, setLogIn] = useState<LogIn>("key");
  const [key, setKey] = useState("");
  const [secret, setSecret] = useState("");
  const [brings, setBrings] = useState<Brings>("agent");
  const [keepKey, setKeepKey] = useState(false);
  const [allowRoot, setAllowRoot] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);
  const [isBusy, setBusy] = useState(false);
  const isConfidential = useSyncExternalStore(
    () => () => undefined,
    () => location.protocol === "https:" || isLoopbackOrigin(location.origin),
    () => true,
  );

  async function start(): Promise<void> {
    const [found, hops] = await Promise.all([
      readHosts(machines),
      jump.trim() === "" ? [] : readHosts(jump.replaceAll(",", "\n")),
    ]);
    const jumps = hops.map((hop) => wayOf(hop, user));
    const hosts = found.map(
      (host): Machine => ({
        ...wayOf(host, user),
        jumps,
        ...(transports.text.trim() === "" ? {} : { transports: transportsTo(host) }),
        alias: host.alias,
        ...(host.name === null ? {} : { name: host.name }),
      }),
    );
    const cloudflareToken = tokenOf(transports);
    const passphrase = secret === "" ? {} : { passphrase: secret };
    const credentials =
      logIn === "password"
        ? { password: secret }
        : { keys: [{ label: "the key that was pasted", text: key, ...passphrase }] };
    const { id } = await api.mutate("ssh.start", {
      act: brings === "agent" ? "enrol" : "agentless",
      hosts,
      credentials,
      keepKey,
      allowRoot,
      labels: parseLabels(labels),
      ...(cloudflareToken === null ? {} : { cloudflareToken }),
    });
    setKey("");
    setSecret("");
    setTransports({ ...transports, tokenSecret: "" });
    onStarted(id);
  }

  function transportsTo({ host, name, alias }: Found): SshTransport[] {
    return parseTransports(transports.text, { host, name: name ?? alias });
  }

  async function readHosts(text: string): Promise<Found[]> {
    const { hosts, problems } = await api.query("ssh.readHosts", { text });
    const [first] = problems;
    if (first) {
      const where = first.line > 0 ? `Line ${first.line}: ` : "";
      throw new NexusError("bad_request", { detail: `${where}${first.message}.` });
    }
    return hosts;
  }

  function submit(event: FormEvent): void {
    event.preventDefault();
    if (reason || isBusy || !isConfidential) return;
    setBusy(true);
    setProblem(null);
    start()
      .catch(setProblem)
      .finally(() => setBusy(false));
  }

  const isComplete = machines.trim() !== "" && (logIn === "password" ? secret !== "" : key.trim() !== "");
  return (
    <form onSubmit={submit} className="grid grid-cols-2 gap-4 narrow:grid-cols-1" autoComplete="off">
      <Field
        label="Machines"
        className="col-span-full"
        hint="One a line: user@host:port, with a name behind it where you want one. An Ansible inventory works too."
      >
        {(control) => (
          <TextArea
            {...control}
            value={machines}
            rows={3}
            spellCheck={false}
            placeholder={"ada@gpu1.lab\nada@gpu2.lab:2222  lab-two"}
            onChange={(event) => setMachines(event.target.value)}
          />
        )}
      </Field>
      <Field label="User" optional hint="Where a line names none.">
        {(control) => (
          <Input
            {...control}
            value={user}
            placeholder="ada"
            spellCheck={false}
            onChange={(event) => setUser(event.target.value)}
          />
        )}
      </Field>
      <Field label="Through" optional hint="Jump hosts, with commas between them.">
        {(control) => (
          <Input
            {...control}
            value={jump}
            placeholder="ada@bastion.lab"
            spellCheck={false}
            onChange={(event) => setJump(event.target.value)}
          />
        )}
      </Field>
      <TransportFields value={transports} onChange={setTransports} />
      <div className="col-span-full flex flex-col gap-3">
        <Segmented
          label="Log in with"
          value={logIn}
          onChange={(next) => {
            setLogIn(next);
            setSecret("");
          }}
          className="self-start"
          options={[
            { value: "key", label: "A private key" },
            { value: "password", label: "A password" },
          ]}
        />
        {logIn === "key" && (
          <Field label="Private key" hint="Held in memory for this work, never stored, and shown nowhere.">
            {(control) => (
              <TextArea
                {...control}
                value={key}
                rows={3}
                spellCheck={false}
                placeholder="-----BEGIN OPENSSH PRIVATE KEY-----"
                onChange={(event) => setKey(event.target.value)}
              />
            )}
          </Field>
        )}
        <Field
          label={logIn === "key" ? "Passphrase" : "Password"}
          optional={logIn === "key"}
          hint={
            logIn === "key" ? "Where the key is locked." : "Held in memory for this work, and never stored."
          }
        >
          {(control) => (
            <Input
              {...control}
              type="password"
              autoComplete="off"
              value={secret}
              onChange={(event) => setSecret(event.target.value)}
            />
          )}
        </Field>
      </div>
      <Field label="Labels" optional hint="Jobs choose machines by them." className="col-span-full">
        {(control) => (
          <Input
            {...control}
            value={labels}
            placeholder="role=training rack=b2"
            spellCheck={false}
            onChange={(event) => setLabels(event.target.value)}
          />
        )}
      </Field>
      <div className="col-span-full flex flex-col gap-3">
        <Segmented
          label="What is put on it"
          value={brings}
          onChange={setBrings}
          className="self-start"
          options={[
            { value: "agent", label: "The agent" },
            { value: "nothing", label: "Nothing but a key" },
          ]}
        />
        {brings === "nothing" && <AgentlessLimits />}
      </div>
      <div className="col-span-full flex flex-col gap-2">
        {brings === "agent" && (
          <Choice
            checked={keepKey}
            onChange={setKeepKey}
            label="Make a key for each machine and keep it here, sealed"
          >
            To reach it without its agent, and to take Nexus off it again.
          </Choice>
        )}
        <Choice
          checked={allowRoot}
          onChange={setAllowRoot}
          label="Let jobs run as root, where you log in as root"
        />
      </div>
      {!isConfidential && (
        <p className="col-span-full rounded-md bg-bad-soft px-3 py-2 text-13" role="alert">
          This page came by plain http: keys and passwords could be read on the way, so they are not taken
          here. Open it by https, or on the server's own machine.
        </p>
      )}
      {problem !== null && (
        <div className="col-span-full">
          <InlineProblem problem={problemOf(problem)} />
        </div>
      )}
      <div className="col-span-full">
        <Button
          type="submit"
          variant="primary"
          busy={isBusy}
          disabledReason={
            reason ??
            (isConfidential ? null : "This page came by plain http.") ??
            (isComplete ? null : "Name a machine, and a key or a password.")
          }
          className="narrow:w-full"
        >
          {brings === "agent" ? "Enrol over SSH" : "Add without an agent"}
        </Button>
      </div>
    </form>
  );
}

function AgentlessLimits() {
  return (
    <div className="flex flex-col gap-1.5 text-12 text-content-2">
      <p>
        Jobs run over SSH, by a key that is made for each machine and kept here, sealed. For machines that
        take no agent; with one Nexus can do more:
      </p>
      <ul className="flex list-disc flex-col gap-1 pl-4">
        {AGENTLESS_LIMITS.map((text) => (
          <li key={text}>{text}</li>
        ))}
      </ul>
    </div>
  );
}

type ChoiceProps = { checked: boolean; onChange: (next: boolean) => void; label: string; children?: string };

function Choice({ checked, onChange, label, children }: ChoiceProps) {
  return (
    // biome-ignore lint/a11y/noLabelWithoutControl: the checkbox within is its control
    <label className="flex items-start gap-2">
      <Checkbox className="mt-0.5" checked={checked} onCheckedChange={(next) => onChange(next === true)} />
      <span>
        {label}
        {children && <span className="block text-12 text-content-3">{children}</span>}
      </span>
    </label>
  );
}

function wayOf({ host, port, user }: Found, otherUser: string): Pick<Machine, "host" | "port" | "user"> {
  const name = user ?? otherUser.trim();
  if (name === "") throw new NexusError("bad_request", { detail: `${host}: say as whom to log in.` });
  return { host, user: name, ...(port === null ? {} : { port }) };
}
