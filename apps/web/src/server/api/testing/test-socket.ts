import { once } from "node:events";
import { WebSocket } from "ws";

type Message = {
  id?: number;
  result?: { type: string; data?: unknown };
  error?: { data: { nexusCode: string } };
};

/** A browser's end of `/ws/ui`. Messages wait here until the test asks for them. */
export async function openTestSocket(url: string, headers: Record<string, string>) {
  const socket = new WebSocket(url, { headers });
  const waiting: Message[] = [];
  let wake: () => void = () => undefined;
  socket.on("message", (bytes) => {
    const text = String(bytes);
    if (text === "PING" || text === "PONG") return;
    waiting.push(JSON.parse(text));
    wake();
  });
  const closed = once(socket, "close") as Promise<[number, Buffer]>;
  let isClosed = false;
  closed.then(
    () => {
      isClosed = true;
      wake();
    },
    () => undefined,
  );
  await once(socket, "open");
  let id = 0;

  return {
    socket,
    /** The close code. */
    closed: closed.then(([code]) => code),
    send(method: "query" | "mutation" | "subscription", path: string, input?: unknown): number {
      id += 1;
      socket.send(JSON.stringify({ id, method, params: { path, input } }));
      return id;
    },
    /** The next message that `matches`; what comes before it is dropped. */
    async next(matches: (message: Message) => boolean): Promise<Message> {
      for (;;) {
        const at = waiting.findIndex(matches);
        const found = waiting[at];
        if (found) {
          waiting.splice(0, at + 1);
          return found;
        }
        if (isClosed) throw new Error("the socket closed");
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}

/** How an upgrade that must fail fails: the HTTP status. */
export async function refusedUpgrade(url: string, headers: Record<string, string>): Promise<number> {
  const socket = new WebSocket(url, { headers });
  return await new Promise((resolve, reject) => {
    socket.on("unexpected-response", (request, response) => {
      response.resume();
      request.destroy();
      resolve(response.statusCode ?? 0);
    });
    socket.on("error", reject);
    socket.on("open", () => {
      socket.terminate();
      resolve(101);
    });
  });
}
