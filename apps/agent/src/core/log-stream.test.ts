import { LOG_CHUNK_BYTES_MAX, LOG_WINDOW_BYTES } from "@nexus/shared/protocol/limits";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  ackLog,
  attachLog,
  detachLog,
  endLog,
  growLog,
  hasUnacked,
  isLogDone,
  type LogStream,
  newLogStream,
  nextChunk,
  resendLog,
  sentChunk,
} from "./log-stream.ts";

type Frame = { offset: number; length: number };
type Answer = { logBytes: number; rewind: boolean };

/** The server's rule: write only where the offset is the size. `stored` grows by what was accepted, byte for byte. */
class StoringServer {
  stored = 0;
  frames = 0;
  bytesOfDuplicates = 0;
  answer({ offset, length }: Frame): Answer {
    this.frames += 1;
    if (offset !== this.stored) {
      this.bytesOfDuplicates += length;
      return { logBytes: this.stored, rewind: true };
    }
    this.stored += length;
    return { logBytes: this.stored, rewind: false };
  }
}

/** Chunks of at most 10 bytes make many frames of few bytes; the real limits are tested below. */
function chunkOf(stream: LogStream): Frame | null {
  const chunk = nextChunk(stream);
  return chunk === null ? null : { offset: chunk.offset, length: Math.min(chunk.length, 10) };
}

type Act = "grow" | "send" | "serve" | "hear" | "lose_frame" | "lose_answer" | "resend" | "reconnect";
const act = fc.constantFrom<Act>(
  "grow",
  "send",
  "send",
  "send",
  "serve",
  "serve",
  "hear",
  "hear",
  "lose_frame",
  "lose_answer",
  "resend",
  "reconnect",
);

describe("log stream", () => {
  it("[P29] whatever is lost or sent twice, the server's bytes are a prefix of the file, and all of it in the end", () => {
    void fc.assert(
      fc.property(fc.array(act, { maxLength: 200 }), (acts) => {
        const server = new StoringServer();
        let stream = attachLog(newLogStream("a_1", 1), 0);
        let toServer: Frame[] = [];
        let toNode: Answer[] = [];
        const perform = (each: Act): void => {
          switch (each) {
            case "grow":
              stream = growLog(stream, stream.size + 7);
              return;
            case "send": {
              const frame = chunkOf(stream);
              if (frame === null) return;
              toServer.push(frame);
              stream = sentChunk(stream, frame.length);
              return;
            }
            case "serve": {
              const frame = toServer.shift();
              if (frame !== undefined) toNode.push(server.answer(frame));
              return;
            }
            case "hear": {
              const answer = toNode.shift();
              if (answer !== undefined) stream = ackLog(stream, answer);
              return;
            }
            case "lose_frame":
              toServer.shift();
              return;
            case "lose_answer":
              toNode.shift();
              return;
            case "resend":
              stream = resendLog(stream);
              return;
            case "reconnect":
              stream = attachLog(detachLog(stream), server.stored);
              toServer = [];
              toNode = [];
              return;
          }
        };
        for (const each of acts) {
          perform(each);
          expect(server.stored).toBeLessThanOrEqual(stream.size);
          if (stream.at !== null) expect(stream.at.sent).toBeGreaterThanOrEqual(stream.at.acked);
        }
        // The network is whole again; a silence of all answers ends with a resend.
        stream = endLog(stream, stream.size);
        for (let round = 0; round < 10 && !isLogDone(stream); round += 1) {
          stream = resendLog(stream);
          for (let i = 0; i < 500; i += 1)
            for (const each of ["send", "serve", "hear"] as const) perform(each);
        }
        expect(isLogDone(stream)).toBe(true);
        expect(server.stored).toBe(stream.size);
      }),
      { numRuns: 500 },
    );
  });

  it("[P30] one lost frame costs at most the window once more, not an avalanche", () => {
    const server = new StoringServer();
    let stream = growLog(attachLog(newLogStream("a_1", 1), 0), 5000);
    const toServer: Frame[] = [];
    const toNode: Answer[] = [];
    let isLost = false;
    for (let turn = 0; turn < 20_000 && server.stored < 5000; turn += 1) {
      // Long ways: up to 50 frames are on them.
      for (let i = 0; i < 3; i += 1) {
        const frame = chunkOf(stream);
        if (frame === null || toServer.length > 50) break;
        toServer.push(frame);
        stream = sentChunk(stream, frame.length);
      }
      if (toServer.length > 40 || chunkOf(stream) === null) {
        const frame = toServer.shift();
        if (frame !== undefined && server.stored === 1000 && !isLost) isLost = true;
        else if (frame !== undefined) toNode.push(server.answer(frame));
      }
      if (toNode.length > 10 || toServer.length === 0) {
        const answer = toNode.shift();
        if (answer !== undefined) stream = ackLog(stream, answer);
      }
    }
    expect(isLost).toBe(true);
    expect(server.stored).toBe(5000);
    expect(server.bytesOfDuplicates).toBeLessThan(1500);
  });

  it("[P30] what found no room twice is sent a third time when the server asks of its own accord", () => {
    const sent = (stream: LogStream) => sentChunk(stream, nextChunk(stream)?.length ?? 0);
    const demand = { logBytes: 0, rewind: true };
    let stream = sent(growLog(attachLog(newLogStream("a_1", 1), 0), 100));
    stream = sent(ackLog(stream, { ...demand, again: true }));
    expect(nextChunk(stream)).toBeNull();
    // The echo of a frame that was on its way is no reason; the server's own wish is.
    expect(nextChunk(ackLog(stream, demand))).toBeNull();
    expect(nextChunk(ackLog(stream, { ...demand, again: true }))).toEqual({ offset: 0, length: 100 });
  });

  it("[P31] at most one window is on its way, in chunks that fit a frame, and an ack makes room", () => {
    let stream = growLog(attachLog(newLogStream("a_1", 1), 100), 100 + 3 * LOG_WINDOW_BYTES);
    let sent = 0;
    for (let chunk = nextChunk(stream); chunk !== null; chunk = nextChunk(stream)) {
      expect(chunk.length).toBeLessThanOrEqual(LOG_CHUNK_BYTES_MAX);
      expect(chunk.offset).toBe(100 + sent);
      sent += chunk.length;
      stream = sentChunk(stream, chunk.length);
    }
    expect(sent).toBe(LOG_WINDOW_BYTES);
    expect(hasUnacked(stream)).toBe(true);
    stream = ackLog(stream, { logBytes: 100 + 10, rewind: false });
    expect(nextChunk(stream)).toEqual({ offset: 100 + LOG_WINDOW_BYTES, length: 10 });
  });

  it("[P31] nothing is sent before the server asked, nor after the connection is gone", () => {
    const idle = growLog(newLogStream("a_1", 1), 10);
    expect(nextChunk(idle)).toBeNull();
    expect(nextChunk(detachLog(attachLog(idle, 0)))).toBeNull();
    expect(isLogDone(endLog(idle, 10))).toBe(false);
    expect(isLogDone(endLog(attachLog(idle, 10), 10))).toBe(true);
  });
});
