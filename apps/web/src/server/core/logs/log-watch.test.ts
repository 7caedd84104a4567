import { expect, test } from "vitest";
import { createEventBus } from "../../services/event-bus.ts";
import { createLogWatch } from "./log-watch.ts";

function watched() {
  const events = createEventBus((error) => {
    throw error;
  });
  let onBus = 0;
  const watch = createLogWatch({
    on(type, listener) {
      onBus += 1;
      const unlisten = events.on(type, listener);
      return () => {
        onBus -= 1;
        unlisten();
      };
    },
  });
  const grow = (attempt: string) =>
    events.emit("log", { teamId: "t", job: "j", attempt, logBytes: 1, ended: false });
  return { watch, grow, onBus: () => onBus };
}

test("[L17] a log that grows wakes its own watchers and nobody else, over one listener on the bus", () => {
  const { watch, grow, onBus } = watched();
  const woken: string[] = [];
  for (let n = 0; n < 1000; n++) watch.onChange(`a_${n}`, () => woken.push(`a_${n}`));
  watch.onChange("a_7", () => woken.push("the other of a_7"));
  grow("a_7");
  expect(woken).toEqual(["a_7", "the other of a_7"]);
  grow("a_unwatched");
  expect(woken).toHaveLength(2);
  expect(onBus()).toBe(1);
});

test("[L17] who stopped listening hears nothing, stopping twice is no harm, and with the last the bus is left", () => {
  const { watch, grow, onBus } = watched();
  let calls = 0;
  const listener = () => {
    calls += 1;
  };
  const stops = [
    watch.onChange("a_1", listener),
    watch.onChange("a_1", listener),
    watch.onChange("a_2", listener),
  ];
  stops[0]?.();
  stops[0]?.();
  grow("a_1");
  expect(calls).toBe(1);
  for (const stop of stops) stop();
  grow("a_1");
  expect([calls, onBus()]).toEqual([1, 0]);
  watch.onChange("a_1", listener);
  grow("a_1");
  expect([calls, onBus()]).toEqual([2, 1]);
});
