const FRAMES = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const FRAME_MS = 80;
/** What is quicker needs no sign of life. */
const PATIENCE_MS = 1000;

export type SpinnerStream = { isTTY?: boolean | undefined; write(text: string): unknown };

export type Spinner = { say(text: string): void; stop(): void };

/** A sign of life on the terminal, from the first second on. In a pipe it says nothing. */
export function startSpinner(stream: SpinnerStream, text: string): Spinner {
  if (!stream.isTTY) return { say: () => undefined, stop: () => undefined };
  let message = text;
  let frame = 0;
  let isShown = false;
  const draw = () => {
    isShown = true;
    stream.write(`\r\u001b[2K${FRAMES[frame++ % FRAMES.length]} ${message}`);
  };
  let timer: NodeJS.Timeout = setTimeout(() => {
    draw();
    timer = setInterval(draw, FRAME_MS);
  }, PATIENCE_MS);
  return {
    say(next) {
      message = next;
    },
    stop() {
      clearTimeout(timer);
      if (isShown) stream.write("\r\u001b[2K");
      isShown = false;
    },
  };
}

export async function withSpinner<T>(stream: SpinnerStream, text: string, work: Promise<T>): Promise<T> {
  const spinner = startSpinner(stream, text);
  try {
    return await work;
  } finally {
    spinner.stop();
  }
}
