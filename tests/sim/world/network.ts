/**
 * The network between agents and the control plane.
 *
 * Owns: the connections, what is on its way in them, and which directions are cut. Invariants: as with TCP, a connection hands
 * on what was sent in its order, late or never, unless the fault of a frame is wanted: then one is doubled, changes its place
 * with the next, or gets lost, and a connection that lost one ends soon after. A machine without power says nothing; a
 * program that died leaves a reset behind.
 */
import { kernel, type Program } from "./kernel.ts";
import { machineNamed } from "./machine.ts";

type Item = (
  | { kind: "data"; bytes: Uint8Array }
  | { kind: "open" }
  | { kind: "response"; status: number; retryAfter: string | undefined }
  | { kind: "close"; code: number; reason: string }
  | { kind: "reset" }
) & { arrivesAtMs: number; done?: (() => void) | undefined };

type Lane = {
  from: End;
  to: End;
  queue: Item[];
  isPlanned: boolean;
  lastAtMs: number;
  /** The other direction. */
  twin: Lane | null;
};

/** One end of a connection, with the face of the package `ws` as far as the product knows it. */
export type End = {
  program: Program;
  isPaused: boolean;
  readyState: number;
  readonly OPEN: 1;
  readonly bufferedAmount: number;
  on(name: string, listener: Listener): End;
  send(bytes: Uint8Array, options?: unknown, done?: () => void): void;
  close(code?: number, reason?: string): void;
  terminate(): void;
  pause(): void;
  resume(): void;
};
type Listener = (...values: never[]) => void;
type Inner = End & { emit(name: string, ...values: unknown[]): void };

export type Upgrade = {
  request: { url: string; headers: Record<string, string>; socket: { remoteAddress: string } };
  socket: RawSocket;
};
/** What stands in for a TCP socket until `ws` takes it over. */
export type RawSocket = { end(text: string): void; destroy(): void; accept(): End };

export type ServerListener = { program: Program; onUpgrade(upgrade: Upgrade): void };

export type Network = {
  listeners: ServerListener[];
  latencyMs: number;
  /** Directions that are cut: `from>to`, names of machines. */
  readonly cuts: Set<string>;
  /** How likely each fault of a frame is. */
  frameFaults: { double: number; swap: number; lose: number };
  cut(from: string, to: string): void;
  mend(): void;
  /** Ends connections of a machine, as a router that restarts does. */
  reset(machine: string): void;
  dial(program: Program, timeoutMs: number): End;
};

const [CONNECTING, OPEN, CLOSING, CLOSED] = [0, 1, 2, 3] as const;
/** Frames of a session under way; the handshake's own order is that of TCP. */
const FAULTY = /"type":"(started|exited|log|log_ack|start|stop|forget|telemetry|notice)"/;
const LOST_FRAME_ENDS_WITHIN_MS = 5_000;

let present: Network;

export function network(): Network {
  return present;
}

export function newNetwork(latencyMs: number): Network {
  const cuts = new Set<string>();
  const links = new Set<{ lanes: [Lane, Lane] }>();

  const self: Network = {
    listeners: [],
    latencyMs,
    cuts,
    frameFaults: { double: 0, swap: 0, lose: 0 },
    cut(from, to) {
      cuts.add(`${from}>${to}`);
      kernel().note(`network cut ${from}>${to}`);
    },
    mend() {
      if (cuts.size > 0) kernel().note("network mended");
      cuts.clear();
      for (const { lanes } of links) for (const lane of lanes) plan(lane);
    },
    reset(machine) {
      kernel().note(`network resets ${machine}`);
      for (const { lanes } of [...links]) {
        if (!lanes.some(({ from }) => from.program.machine.name === machine)) continue;
        for (const lane of lanes) {
          lane.queue = [];
          push(lane, { kind: "reset" });
        }
      }
    },
    dial,
  };
  present = self;
  return self;

  function isCut(lane: Lane): boolean {
    return cuts.has(`${lane.from.program.machine.name}>${lane.to.program.machine.name}`);
  }

  function push(lane: Lane, given: NewItem): void {
    const { nowMs, random } = kernel();
    lane.lastAtMs = Math.max(lane.lastAtMs, nowMs + random.delayMs(self.latencyMs));
    lane.queue.push({ ...given, arrivesAtMs: lane.lastAtMs } as Item);
    plan(lane);
  }

  function plan(lane: Lane): void {
    const [head] = lane.queue;
    if (head === undefined || lane.isPlanned || lane.to.isPaused || isCut(lane)) return;
    lane.isPlanned = true;
    const { after, nowMs } = kernel();
    const { program } = lane.to;
    after(head.arrivesAtMs - nowMs, program.isAlive ? program : null, () => arrive(lane));
    // A program that dies meanwhile leaves the lane planned for ever: its death says what comes then.
  }

  function arrive(lane: Lane): void {
    lane.isPlanned = false;
    if (lane.to.isPaused || isCut(lane)) return;
    const { random } = kernel();
    const [head, next] = lane.queue;
    if (head?.kind === "data" && isFaulty(head)) {
      if (next?.kind === "data" && isFaulty(next) && random.chance(self.frameFaults.swap)) {
        lane.queue.splice(0, 2, next, head);
      } else if (random.chance(self.frameFaults.double)) {
        lane.queue.splice(random.chance(0.5) ? 1 : lane.queue.length, 0, { ...head, done: undefined });
      } else if (random.chance(self.frameFaults.lose)) {
        lane.queue.shift();
        kernel().note(`network loses a frame to ${lane.to.program.name}`);
        kernel().after(random.int(0, LOST_FRAME_ENDS_WITHIN_MS), null, () => push(lane, { kind: "reset" }));
        plan(lane);
        return;
      }
    }
    const item = lane.queue.shift();
    if (item?.done !== undefined) kernel().after(0, lane.from.program, item.done);
    if (item !== undefined) handOver(lane, item);
    plan(lane);
  }

  function handOver(lane: Lane, item: Item): void {
    const end = lane.to as Inner;
    if (end.readyState === CLOSED) return;
    if (!end.program.isAlive) return;
    switch (item.kind) {
      case "open":
        end.readyState = OPEN;
        end.emit("open");
        return;
      case "data":
        kernel().tell(() => `${lane.from.program.name} → ${end.program.name} ${headerOf(item.bytes)}`);
        end.emit("message", item.bytes, true);
        return;
      case "response": {
        end.readyState = CLOSED;
        const headers = item.retryAfter === undefined ? {} : { "retry-after": item.retryAfter };
        const response = { statusCode: item.status, headers, resume: () => undefined };
        end.emit("unexpected-response", { destroy: () => undefined }, response);
        return;
      }
      case "close": {
        const isAnswer = end.readyState === CLOSING;
        end.readyState = CLOSED;
        if (!isAnswer && lane.twin !== null)
          push(lane.twin, { kind: "close", code: item.code, reason: item.reason });
        end.emit("close", item.code, Buffer.from(item.reason));
        return;
      }
      case "reset":
        end.readyState = CLOSED;
        end.emit("close", 1006, Buffer.alloc(0));
    }
  }

  function dial(program: Program, timeoutMs: number): End {
    const { random, after } = kernel();
    const listener = self.listeners.filter((one) => one.program.isAlive).at(0);
    const client = newEnd(program);
    const fail = (code: string) => {
      if (client.readyState !== CONNECTING) return;
      client.readyState = CLOSED;
      client.emit("error", Object.assign(new Error(`connect ${code}`), { code }));
      client.emit("close", 1006, Buffer.alloc(0));
    };
    after(timeoutMs, program, () => fail("ETIMEDOUT"));
    const hosts = listener ?? self.listeners.at(-1);
    if (hosts === undefined) {
      after(random.delayMs(latencyMs), program, () => fail("ECONNREFUSED"));
      return client;
    }
    const server = newEnd(hosts.program);
    const there: Lane = { from: client, to: server, queue: [], isPlanned: false, lastAtMs: 0, twin: null };
    const here: Lane = { from: server, to: client, queue: [], isPlanned: false, lastAtMs: 0, twin: there };
    there.twin = here;
    if (isCut(there) || isCut(here)) return client;
    if (listener === undefined) {
      if (machineNamed(hosts.program.machine.name).isUp)
        after(random.delayMs(latencyMs), program, () => fail("ECONNREFUSED"));
      return client;
    }
    const link: { lanes: [Lane, Lane] } = { lanes: [there, here] };
    links.add(link);
    connect(client, { out: there, back: here });
    connect(server, { out: here, back: there });
    server.readyState = OPEN;
    program.onDeath.push(() => leave(client, there));
    hosts.program.onDeath.push(() => leave(server, here));
    after(random.delayMs(latencyMs), hosts.program, () => {
      if (isCut(there) || client.readyState !== CONNECTING) return;
      const request = {
        url: "/ws/agent",
        headers: {},
        socket: { remoteAddress: program.machine.name },
      };
      listener.onUpgrade({
        request,
        socket: {
          end(text) {
            const status = Number(/^HTTP\/1.1 (\d+)/.exec(text)?.[1]);
            const retryAfter = /retry-after: (\d+)/.exec(text)?.[1];
            push(here, { kind: "response", status, retryAfter });
          },
          destroy: () => push(here, { kind: "reset" }),
          accept() {
            push(here, { kind: "open" });
            return server;
          },
        },
      });
    });
    return client;

    function leave(end: Inner, out: Lane): void {
      end.readyState = CLOSED;
      const machine = machineNamed(end.program.machine.name);
      out.isPlanned = false;
      out.queue = out.queue.filter(({ kind }) => kind === "data");
      const other = out.to as Inner;
      if (machine.isUp) push(out, { kind: "reset" });
      // Its peer learns of it when it sends to a machine that is back and knows no such connection.
      else awaitPower(machine.name, () => other.readyState !== CLOSED && push(out, { kind: "reset" }));
    }
  }

  function awaitPower(name: string, then: () => void): void {
    kernel().after(1000, null, () => {
      if (machineNamed(name).isUp) then();
      else awaitPower(name, then);
    });
  }

  function connect(end: Inner, { out, back: from }: { out: Lane; back: Lane }): void {
    end.send = (bytes, _options, done) => {
      kernel().call();
      if (end.readyState !== OPEN) {
        if (done) kernel().after(0, end.program, done);
        return;
      }
      push(out, { kind: "data", bytes: bytes.slice(), done });
    };
    end.close = (code = 1000, reason = "") => {
      if (end.readyState === CONNECTING) return end.terminate();
      if (end.readyState !== OPEN) return;
      end.readyState = CLOSING;
      push(out, { kind: "close", code, reason });
    };
    end.terminate = () => {
      if (end.readyState === CLOSED) return;
      end.readyState = CLOSED;
      push(out, { kind: "reset" });
      kernel().after(0, end.program, () => end.emit("close", 1006, Buffer.alloc(0)));
    };
    end.resume = () => {
      end.isPaused = false;
      plan(from);
    };
    Object.defineProperty(end, "bufferedAmount", {
      get: () => out.queue.reduce((sum, item) => sum + (item.kind === "data" ? item.bytes.length : 0), 0),
    });
  }
}

type WithoutTime<T> = T extends unknown ? Omit<T, "arrivesAtMs"> : never;
type NewItem = WithoutTime<Item>;

function headerOf(bytes: Uint8Array): string {
  const length = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0);
  return Buffer.from(bytes.subarray(4, 4 + length)).toString();
}

function isFaulty({ bytes }: { bytes: Uint8Array }): boolean {
  return FAULTY.test(Buffer.from(bytes.subarray(4, 64)).toString("latin1"));
}

function newEnd(program: Program): Inner {
  const listeners = new Map<string, Listener[]>();
  const end: Inner = {
    program,
    isPaused: false,
    readyState: CONNECTING,
    OPEN: 1,
    bufferedAmount: 0,
    on(name, listener) {
      listeners.set(name, [...(listeners.get(name) ?? []), listener]);
      return end;
    },
    emit(name, ...values) {
      for (const listener of listeners.get(name) ?? []) listener(...(values as never[]));
    },
    send: () => undefined,
    close: () => end.terminate(),
    terminate() {
      if (end.readyState === CLOSED) return;
      end.readyState = CLOSED;
      kernel().after(0, program, () => end.emit("close", 1006, Buffer.alloc(0)));
    },
    pause() {
      end.isPaused = true;
    },
    resume() {
      end.isPaused = false;
    },
  };
  return end;
}
