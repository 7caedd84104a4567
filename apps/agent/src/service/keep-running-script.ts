/**
 * The text that keeps the agent running where no service manager does: a loop of the shell, begun again by cron after a reboot.
 * It stops for good where the same start would only be refused again. Jobs have sessions of their own and outlive it.
 */
import { shellQuote } from "../exec/shell-quote.ts";

const LOG_BYTES_MAX = 16 * 1024 * 1024;

export type KeepRunning = {
  file: string;
  agentHome: string;
  command: readonly string[];
  env: Readonly<Record<string, string>>;
  finalExitCodes: string;
};

export function keepRunningScript({ file, agentHome, command, env, finalExitCodes }: KeepRunning): string {
  const variables = Object.entries({ NEXUS_AGENT_HOME: agentHome, ...env });
  // Cron reads % as the end of the line.
  const cronLine = `@reboot sh ${shellQuote(file)} start`.replaceAll("%", "\\%");
  return `#!/bin/sh
# Keeps the Nexus agent running: start, stop.
set -u
${variables.map(([name, value]) => `export ${name}=${shellQuote(value)}`).join("\n")}
file=${shellQuote(file)}
cron_line=${shellQuote(cronLine)}
held=$NEXUS_AGENT_HOME/keep-running.pid
log=$NEXUS_AGENT_HOME/agent.log
newline='
'

# A shell reads a script as it goes: as one function it is read before the file can be replaced.
main() {
  case \${1:-} in
  start)
    end_loop
    write_cron "$cron_line"
    if command -v setsid >/dev/null 2>&1; then
      setsid sh "$file" loop </dev/null >>"$NEXUS_AGENT_HOME/agent.log" 2>&1 &
    else
      nohup sh "$file" loop </dev/null >>"$NEXUS_AGENT_HOME/agent.log" 2>&1 &
    fi
    ;;
  loop)
    child=
    trap 'end_child; exit 0' TERM INT
    trap "" HUP
    echo "$$" >"$held"
    bound_log </dev/null >/dev/null 2>&1 &
    bounding=$!
    while :; do
      ${command.map(shellQuote).join(" ")} &
      child=$!
      wait "$child"
      code=$?
      for final in ${finalExitCodes}; do
        if [ "$code" = "$final" ]; then
          rm -f "$held"
          kill "$bounding" 2>/dev/null
          exit "$code"
        fi
      done
      sleep 2
    done
    ;;
  stop)
    end_loop
    write_cron ""
    ;;
  *)
    echo "usage: $0 start|stop" >&2
    exit 64
    ;;
  esac
}

# Whoever writes the log appends, so it goes on from the beginning of the emptied one.
bound_log() {
  while kill -0 "$$" 2>/dev/null; do
    if [ "$(wc -c <"$log")" -gt ${LOG_BYTES_MAX} ]; then
      tail -c ${LOG_BYTES_MAX / 2} "$log" >"$log.old" && : >"$log"
    fi
    sleep 60
  done
}

end_child() {
  rm -f "$held"
  kill "$bounding" 2>/dev/null
  if [ -n "$child" ]; then
    kill "$child" 2>/dev/null
    wait "$child"
  fi
}

end_loop() {
  pid=$(cat "$held" 2>/dev/null) || return 0
  # Pids are used again: only a process of this script is ours.
  case $(ps -o args= -p "$pid" 2>/dev/null) in *"$file loop"*) ;; *) return 0 ;; esac
  kill "$pid" 2>/dev/null
  tries=0
  while kill -0 "$pid" 2>/dev/null && [ "$tries" -lt 100 ]; do
    tries=$((tries + 1))
    sleep 0.1 2>/dev/null || sleep 1
  done
}

write_cron() {
  command -v crontab >/dev/null 2>&1 || return 0
  # What cannot be read is not replaced.
  if ! table=$(crontab -l 2>/dev/null); then
    why=$(LC_ALL=C crontab -l 2>&1 >/dev/null)
    case $why in
    *"no crontab"* | *"No such file"*) table= ;;
    *) echo "the crontab is left as it is, since it cannot be read: $why" >&2; return 0 ;;
    esac
  fi
  others=$(printf '%s\\n' "$table" | grep -vxF "$cron_line")
  if [ $? -gt 1 ]; then
    echo "the crontab is left as it is: grep failed" >&2
    return 0
  fi
  printf '%s' "$others\${others:+$newline}$1\${1:+$newline}" | crontab -
}

main "$@"
exit
`;
}
