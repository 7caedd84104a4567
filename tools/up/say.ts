/** What `up` prints. On a terminal a step shows how long it takes; in a file every step is one line. */
export type Teller = {
  line(text: string): void;
  /** Shows `what` while the work goes on. */
  step<T>(what: string, work: Promise<T>): Promise<T>;
};

const FRAME_MS = 100;
const FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏";
/** Shorter steps are not worth a line. */
const SHOWN_FROM_MS = 700;

export function createTeller(out: NodeJS.WriteStream): Teller {
  let clear = () => undefined as undefined;
  return {
    line(text) {
      clear();
      out.write(`${text}\n`);
    },
    async step(what, work) {
      const startedAtMs = performance.now();
      const seconds = () => ((performance.now() - startedAtMs) / 1_000).toFixed(1);
      const draw = () => {
        const frame = FRAMES[Math.floor(performance.now() / FRAME_MS) % FRAMES.length];
        if (performance.now() - startedAtMs > SHOWN_FROM_MS)
          out.write(`\r\u001b[K${frame} ${what} (${seconds()} s)`);
      };
      const timer = out.isTTY ? setInterval(draw, FRAME_MS) : null;
      clear = () => {
        if (timer) out.write("\r\u001b[K");
      };
      const late = out.isTTY ? null : setTimeout(() => out.write(`${what} …\n`), SHOWN_FROM_MS);
      let mark = "✗";
      try {
        const result = await work;
        mark = "✓";
        return result;
      } finally {
        if (timer) clearInterval(timer);
        if (late) clearTimeout(late);
        clear();
        clear = () => undefined;
        if (performance.now() - startedAtMs > SHOWN_FROM_MS) out.write(`${mark} ${what} (${seconds()} s)\n`);
      }
    },
  };
}
