import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { expect, test } from "vitest";
import { watchViewer, writeToViewer } from "./viewer.ts";

test("[L16] whoever left before the watch begins is not watched for ever", async () => {
  let listeners = 0;
  const viewer = {
    recheck: async () => undefined,
    onAccessChange: () => {
      listeners += 1;
      return () => {
        listeners -= 1;
      };
    },
  };
  const watched = Promise.withResolvers<{ isAborted: boolean; isWritten: boolean }>();
  const server = createServer(async (_, res) => {
    client.destroy();
    await once(res, "close");
    const ended = watchViewer(res, viewer);
    watched.resolve({
      isAborted: ended.aborted,
      isWritten: await writeToViewer(res, Buffer.alloc(1 << 20), ended),
    });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  client.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  try {
    expect(await watched.promise).toEqual({ isAborted: true, isWritten: false });
    expect(listeners).toBe(0);
  } finally {
    server.close();
  }
});
