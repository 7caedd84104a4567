import { FRAME_BYTES_MAX } from "@nexus/shared/protocol/limits";
import { WebSocketServer } from "ws";

/** Speaks the protocol for `/ws/ui` and `/ws/tunnel`; who may have a socket is decided by the API, before the upgrade. */
export function createPeopleSocketServer(): WebSocketServer {
  // Calls of a browser are small; what may be large (a thousand jobs) goes by HTTP.
  return new WebSocketServer({ noServer: true, maxPayload: FRAME_BYTES_MAX, perMessageDeflate: false });
}
