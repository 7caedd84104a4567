/** Every bound of the wire in one place; both ends enforce them. Bytes unless the name says otherwise. */
export const PROTOCOL_VERSION_MIN = 1;
export const PROTOCOL_VERSION_MAX = 2;
/** The first version in which a node carries tunnels. */
export const PROTOCOL_WITH_TUNNELS = 2;

/** ws `maxPayload`: one frame, header and payload together. */
export const FRAME_BYTES_MAX = 1024 * 1024;
/** The JSON header alone. Batches of starts and inventories are split to fit. */
export const HEADER_BYTES_MAX = 768 * 1024;
/** One log frame's payload. Large enough to amortise the header, small enough that control frames wait < 1 ms behind it. */
export const LOG_CHUNK_BYTES_MAX = 256 * 1024;
/** Log bytes of one attempt in flight without an ack. */
export const LOG_WINDOW_BYTES = 1024 * 1024;
/** One frame's bytes of a tunnel: what else waits for the socket waits for no more than these few. */
export const TUNNEL_CHUNK_BYTES_MAX = 64 * 1024;
/** Bytes of a tunnel, one way, that its reader has not taken: all that either end ever holds of it. 10 MB/s at 50 ms. */
export const TUNNEL_WINDOW_BYTES = 512 * 1024;
/** What each frame costs beside its bytes, so that a window of single bytes is no more memory than one of large pieces. */
export const TUNNEL_FRAME_COST_BYTES = 256;
/** Of one node at once, and of one `nexus port-forward`. */
export const TUNNELS_MAX = 128;

/** A sender stops at this much buffered in its socket. */
export const SOCKET_BUFFERED_BYTES_MAX = 4 * 1024 * 1024;
/** Items in one batched message (starts, exits, inventory). */
export const BATCH_ITEMS_MAX = 500;

/** Network cards of one machine that it is known again by. */
export const CARDS_MAX = 16;
/** Characters of one text in a message: a sentence for people, a path, a name. */
export const TEXT_CHARS_MAX = 4096;

export const HANDSHAKE_TIMEOUT_MS = 10_000;
/**
 * TCP sends again the later the longer nothing got through: after a cut of 30 s the next try may be another 25 s away. Giving up
 * after three of these and dialling anew brings a node back within 10 s of any cut.
 */
export const HEARTBEAT_MS = 5_000;
/** A peer is silent after this many heartbeats without a frame. */
export const HEARTBEAT_MISSES_MAX = 3;

/** Processes that survived a kill and are named in its report, and how much of each one's command: a report always fits a frame. */
export const LEFTOVERS_MAX = 32;
export const LEFTOVER_COMMAND_CHARS_MAX = 200;

export const COMMAND_BYTES_MAX = 128 * 1024;
export const ENV_ITEMS_MAX = 1024;
export const ENV_BYTES_MAX = 128 * 1024;
export const LABELS_MAX = 64;
export const GPUS_PER_JOB_MAX = 1024;
