import { spawn } from "node:child_process";
import { once } from "node:events";
import { open, rm } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type WebSocket, WebSocketServer } from "ws";
import type { BenchCase } from "../bench-case.ts";

const FRAMES = 4_000;
const FRAME_BYTES = 256 * 1024;
const PROGRAM = join(import.meta.dirname, "../programs/send-frames.ts");

/** The floor of logs from agent to disk: one process sends from memory, another appends to one file, and nobody writes a log first. */
export const socketToFile: BenchCase = {
  name: "one socket of ws into a file",
  unit: "MB/s",
  async run({ folder }) {
    const path = join(folder, "frames");
    const file = await open(path, "w");
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false });
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const sender = spawn(process.execPath, [PROGRAM, String(port), String(FRAMES), String(FRAME_BYTES)], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    try {
      const [socket] = (await once(server, "connection")) as [WebSocket];
      const startedAt = performance.now();
      let size = 0;
      let writes: Promise<unknown> = Promise.resolve();
      socket.on("message", (data: Buffer) => {
        socket.pause();
        const at = size;
        size += data.length;
        writes = file.write(data, 0, data.length, at).then(() => socket.resume());
      });
      await once(socket, "close");
      await writes;
      if (size !== FRAMES * FRAME_BYTES) throw new Error(`${size} bytes came`);
      return [size / 1e6 / ((performance.now() - startedAt) / 1000)];
    } finally {
      sender.kill();
      server.close();
      await file.close();
      await rm(path);
    }
  },
};
