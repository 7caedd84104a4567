import { WebSocketServer } from "ws";

/** Calls of a browser are small; what may be large (a thousand jobs) goes by HTTP. */
const PAYLOAD_BYTES_MAX = 1024 * 1024;

/** Speaks the protocol for `/ws/ui`; who may have a socket is decided by `api/ui-socket.ts`, before the upgrade. */
export function createUiSocketServer(): WebSocketServer {
  return new WebSocketServer({ noServer: true, maxPayload: PAYLOAD_BYTES_MAX, perMessageDeflate: false });
}
