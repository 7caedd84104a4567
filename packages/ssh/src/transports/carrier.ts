import type { Duplex } from "node:stream";

/** A stream to a machine's sshd, however it got there. */
export type Carrier = {
  stream: Duplex;
  /** What the way itself knows about its end: a proxy's last words and exit code. Empty when it has nothing to say. */
  explain(): Promise<string>;
};

/**
 * Small writes of one turn leave as one segment. ssh2 writes a packet as three pieces, which without Nagle's algorithm
 * would be three segments and three system calls; with it, each would wait for the peer's delayed acknowledgement.
 */
export function gatherWrites(stream: Duplex): void {
  const write = stream.write.bind(stream);
  let isGathering = false;
  const uncork = () => {
    isGathering = false;
    stream.uncork();
  };
  stream.write = (...args: unknown[]) => {
    if (!isGathering) {
      isGathering = true;
      stream.cork();
      process.nextTick(uncork);
    }
    return Reflect.apply(write, stream, args) === true;
  };
}
