/**
 * Who may import whom, as data. `tools/check-imports.ts` holds every file to it; a circle is always an error.
 *
 * A file belongs to the zone with the longest matching prefix. A zone may import itself and what its line names;
 * everything else is refused, so a new folder needs a line here before anyone can import from it.
 * Test code (`*.test.ts`, `testing/` folders, `test-*.ts`) may import its whole workspace and any package.
 */
export type Zone = {
  name: string;
  at: string[];
  imports: string[];
  /** Zones of which only types may be imported. */
  typesOf?: string[];
  /** No clock, no randomness, no `node:*`, no packages but these. Time and ids come in as arguments, effects go out as data. */
  pureWith?: string[];
  /** Folders inside this zone know nothing of each other. */
  apart?: true;
  /** What to do instead, said in the message. */
  instead: string;
};

export const ZONES: Zone[] = [
  {
    name: "shared",
    at: ["packages/shared/src/"],
    imports: [],
    pureWith: ["zod"],
    instead: "shared code imports nothing of ours but itself: move the needed part here, or pass it in",
  },
  {
    name: "shared crypto",
    at: ["packages/shared/src/crypto/"],
    imports: ["shared"],
    instead:
      "keys and hashes over node:crypto, for the shells of server, agent and CLI: it knows shared code only",
  },
  {
    name: "shared tunnel",
    at: ["packages/shared/src/tunnel/"],
    imports: ["shared"],
    instead:
      "tunnels are streams over frames, for the shells of server, agent and CLI: they know shared code only",
  },
  {
    name: "shared testing",
    at: ["packages/shared/src/testing/"],
    imports: ["shared", "shared crypto"],
    instead: "builders for tests know shared code only",
  },
  {
    name: "ssh config",
    at: ["packages/ssh/src/config/", "packages/ssh/src/ssh-error.ts", "packages/ssh/src/match-pattern.ts"],
    imports: ["shared"],
    instead: "reading configurations needs no connection: it is for the CLI too",
  },
  {
    name: "ssh",
    at: ["packages/ssh/src/"],
    imports: ["shared", "shared crypto", "ssh config"],
    instead: "the ssh package knows shared code only: pass what it needs as arguments",
  },

  // The control plane: core ← services ← { api, gateway } ← server.ts
  {
    name: "web core",
    at: ["apps/web/src/server/core/"],
    imports: ["shared"],
    pureWith: ["zod"],
    instead: "the core computes from arguments: let a service read the world and pass it in",
  },
  {
    name: "web schema",
    at: ["apps/web/src/server/db/schema/"],
    imports: ["shared"],
    instead: "tables know shared words only",
  },
  {
    name: "web db",
    at: ["apps/web/src/server/db/"],
    imports: ["shared", "web schema"],
    instead: "the database layer knows tables and shared words only",
  },
  {
    name: "web queries",
    at: ["apps/web/src/server/db/queries/"],
    imports: ["shared", "web schema", "web db"],
    typesOf: ["web core"],
    instead: "a query is one statement: decisions belong to the core, their order to a service",
  },
  {
    name: "web logs",
    at: ["apps/web/src/server/logs/"],
    imports: ["shared", "web core"],
    typesOf: ["web services"],
    instead: "the log store knows files and offsets: let a service connect it with the database",
  },
  {
    name: "web services",
    at: ["apps/web/src/server/services/"],
    imports: [..."shared|shared crypto|web core|web queries|web db|web schema|ssh|ssh config".split("|")],
    typesOf: ["web logs", "shared tunnel"],
    instead:
      "a service reaches sockets, disks and clocks through services/ports.ts: let server.ts pass the part in",
  },
  {
    name: "web auth",
    at: ["apps/web/src/server/auth/"],
    imports: ["shared", "shared crypto", "web db", "web schema"],
    typesOf: ["web services"],
    instead: "accounts know the database only",
  },
  {
    name: "web gateway",
    at: ["apps/web/src/server/gateway/"],
    imports: ["shared", "shared crypto", "shared tunnel", "web core", "web services"],
    instead: "the gateway carries messages: call a service through services/ports.ts",
  },
  {
    name: "web api",
    at: ["apps/web/src/server/api/"],
    imports: ["shared", "shared crypto", "shared tunnel", "web core", "web services"],
    typesOf: ["web auth", "web logs"],
    instead: "a procedure checks, calls one service and answers: move the work to a service",
  },
  {
    name: "web server",
    at: ["apps/web/server.ts", "apps/web/src/server/"],
    imports: [
      ..."shared|shared crypto|web core|web schema|web db|web queries|web logs|web services|web auth|web gateway|web api".split(
        "|",
      ),
    ],
    instead: "the composition root knows the server, not the pages",
  },
  {
    name: "web pages",
    at: ["apps/web/src/app/"],
    imports: ["shared", "web features", "web feature ground", "web ui"],
    typesOf: ["web api"],
    instead:
      "pages show features: data comes over tRPC, never from server modules (Next evaluates them again)",
  },
  {
    name: "web feature ground",
    at: ["apps/web/src/features/api/", "apps/web/src/features/live/", "apps/web/src/features/status/"],
    imports: ["shared", "web ui"],
    typesOf: ["web api"],
    instead: "the API in the browser and the look of states know no feature: a feature calls them",
  },
  {
    name: "web features",
    at: ["apps/web/src/features/"],
    imports: ["shared", "web ui", "web feature ground"],
    typesOf: ["web api"],
    apart: true,
    instead: "features share through src/ui or packages/shared, and reach the server over tRPC only",
  },
  {
    name: "web ui",
    at: ["apps/web/src/ui/"],
    imports: ["shared"],
    typesOf: ["web api"],
    instead: "primitives know no feature and no server: pass it in as a property",
  },
  {
    name: "web build",
    at: ["apps/web/"],
    imports: ["shared"],
    instead: "build settings import nothing of ours",
  },

  // The agent
  {
    name: "agent core",
    at: ["apps/agent/src/core/"],
    imports: ["shared"],
    pureWith: ["zod"],
    instead: "the core computes from arguments: let the shell read the world and pass it in",
  },
  {
    name: "agent link",
    at: ["apps/agent/src/link/"],
    imports: ["shared", "shared crypto", "shared tunnel", "agent core"],
    instead: "the link carries frames: let main.ts join it with jobs and GPUs",
  },
  {
    name: "agent tunnel",
    at: ["apps/agent/src/tunnel/"],
    imports: ["shared", "shared tunnel", "agent core"],
    instead: "tunnels lead to services of the machine: let agent.ts join them with the link",
  },
  {
    name: "agent exec",
    at: ["apps/agent/src/exec/"],
    imports: ["shared", "shared crypto", "agent core"],
    instead: "exec runs processes: let main.ts join it with the link",
  },
  {
    name: "agent gpu",
    at: ["apps/agent/src/gpu/"],
    imports: ["shared", "agent core"],
    instead: "drivers report samples: let main.ts hand them on",
  },
  {
    name: "agent host",
    at: ["apps/agent/src/host/"],
    imports: ["shared", "agent core"],
    instead: "host facts are read and reported: let main.ts hand them on",
  },
  {
    name: "agent",
    at: ["apps/agent/"],
    imports: [
      ..."shared|shared crypto|agent core|agent link|agent tunnel|agent exec|agent gpu|agent host".split("|"),
    ],
    instead: "the agent knows shared code and its own parts; the control plane is reached over the protocol",
  },

  {
    name: "cli",
    at: ["apps/cli/"],
    imports: ["shared", "shared crypto", "shared tunnel", "ssh config"],
    instead: "the CLI speaks the contract in @nexus/shared/api, not the control plane's own types",
  },

  // Outside of the product
  {
    name: "tools",
    at: ["tools/"],
    imports: ["shared", "shared crypto"],
    instead: "tools start the apps as processes, as a user does",
  },
  {
    name: "whole-system tests",
    at: ["tests/", "bench/"],
    imports: ["*"],
    instead: "",
  },
  {
    name: "root settings",
    at: ["vitest.config.ts", "knip.config.ts"],
    imports: [],
    instead: "settings of tools import nothing of ours",
  },
];

/** Packages with one owner in each app: the rest of the code meets a small type of ours instead. */
export type OwnedPackage = { packages: string[]; ownedBy: string[]; instead: string };

export const OWNED_PACKAGES: OwnedPackage[] = [
  {
    packages: ["ssh2"],
    ownedBy: ["packages/ssh/src/"],
    instead: "use @nexus/ssh",
  },
  {
    packages: ["ws"],
    ownedBy: ["apps/web/src/server/gateway/", "apps/agent/src/link/", "apps/cli/src/api/"],
    instead:
      "sockets belong to the gateway, to the agent's link and to the CLI's api folder: go through their ports",
  },
  {
    packages: ["postgres", "drizzle-orm"],
    ownedBy: ["apps/web/src/server/db/"],
    instead: "write a query in apps/web/src/server/db/queries",
  },
  {
    packages: ["node-pty", "@lydell/node-pty"],
    ownedBy: ["apps/agent/src/exec/"],
    instead: "ask the agent's exec folder for a terminal",
  },
  {
    packages: ["pino"],
    ownedBy: ["apps/web/src/server/logger/"],
    instead: "take a logger as an argument",
  },
  {
    packages: ["better-auth", "@better-auth/core", "@better-auth/api-key", "better-call"],
    ownedBy: ["apps/web/src/server/auth/"],
    instead: "ask the services of apps/web/src/server/auth",
  },
];
