/**
 * Loaded into what `npm run up` starts, before its own code. When `up` is gone, however it ended, the program is asked to
 * stop as by a person: it must not go on unseen, hold the data home and refuse the next start.
 */
process.once("disconnect", () => process.kill(process.pid, "SIGTERM"));
process.channel?.unref();
