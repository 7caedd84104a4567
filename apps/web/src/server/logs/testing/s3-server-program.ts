/** An S3 server in a process of its own, for tests: `s3-server-program.ts <folder> <port>`. Tells its port, and ends with its parent. */
// @ts-expect-error It brings no types.
import S3rver from "@20minutes/s3rver";

const [directory, port] = process.argv.slice(2);
const server = new S3rver({
  port: Number(port),
  address: "127.0.0.1",
  silent: true,
  directory,
  configureBuckets: [{ name: "nexus-logs" }],
});
const address: { port: number } = await server.run();
process.on("disconnect", () => process.exit());
process.send?.(address.port);
