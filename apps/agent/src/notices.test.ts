import { describe, expect, it } from "vitest";
import { createNotices, type Notice } from "./notices.ts";

describe("notices", () => {
  it("[P43] what happens while the node is alone is told when it is back, of each kind the latest", () => {
    const told: Notice[] = [];
    let isConnected = false;
    const notices = createNotices((notice) => isConnected && told.push(notice) > 0);
    notices.add("warning", "disk_low", "400 MiB");
    notices.add("error", "disk_full", "the disk is full");
    notices.add("warning", "disk_low", "300 MiB");
    expect(told).toEqual([]);
    isConnected = true;
    notices.flush();
    expect(told.map(({ code, message }) => [code, message])).toEqual([
      ["disk_low", "300 MiB"],
      ["disk_full", "the disk is full"],
    ]);
    notices.flush();
    expect(told).toHaveLength(2);
    notices.add("info", "x", "y".repeat(5000));
    expect(told.at(-1)?.message).toHaveLength(4096);
  });
});
