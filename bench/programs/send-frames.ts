import { WebSocket } from "ws";

/** `node send-frames.ts PORT FRAMES BYTES`: sends so many frames over one socket, each once the one before has left, as an agent does. */
const [port = "", frames = "", bytes = ""] = process.argv.slice(2);
const ws = new WebSocket(`ws://127.0.0.1:${port}`, {
  perMessageDeflate: false,
  generateMask: (key) => key.fill(0),
});
ws.on("open", () => {
  const frame = Buffer.alloc(Number(bytes), "0123456789abcdef0123456789abcdef\n");
  let left = Number(frames);
  const next = () => {
    if (left-- > 0) ws.send(frame, next);
    else ws.close();
  };
  next();
});
