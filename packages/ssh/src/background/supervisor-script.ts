/**
 * The text that starts and keeps a program on a machine with nothing but a POSIX shell. Values arrive as arguments and
 * as quoted words of a file; they are never part of this text.
 *
 * Each run has a folder under `~/.nexus/ssh-runs/ID`, whose making (`mkdir`, which only one can win) is the claim: a
 * repeated start finds it and answers with its state, so nothing is started twice. In the folder:
 *   run.sh   the program as quoted words, with its folder and environment
 *   log      all it wrote, appended, never truncated
 *   record   lines of the supervisor: `claim BOOT PID START`, then `child PID`, then `exit STATUS` (128+n for signal n);
 *            before that `stop REASON`, of whoever had it ended
 *
 * The supervisor has a session of its own where `setsid` exists and ignores HUP, so the end of the connection means
 * nothing to it. It is a shell of under 2 MB. A process is known by boot id, pid and start time: pids are used again.
 * A supervisor that was killed leaves `claim` without `exit`: then the end is unknown, and said to be.
 */
export const SUPERVISOR_SCRIPT = `
set -u
start_of() {
  if [ -r "/proc/$1/stat" ]; then
    read -r stat 2>/dev/null <"/proc/$1/stat" || return 1
    rest=\${stat##*) }
    set -- $rest
    [ "$1" != Z ] || return 1
    shift 19
    echo "$1"
  else
    LC_ALL=C ps -o lstart= -p "$1" 2>/dev/null | tr -s ' ' '_' | grep .
  fi
}
boot_of() {
  cat /proc/sys/kernel/random/boot_id 2>/dev/null || sysctl -n kern.boottime 2>/dev/null | tr -c 'A-Za-z0-9\\n' _
}
home_of() {
  runs=$HOME/.nexus/ssh-runs
}
# Sets claim, child, status and reason, as far as they are written.
look_at_record() {
  claim=; child=; status=; reason=
  if [ -r "$folder/record" ]; then
    while read -r word first rest; do
      case $word in claim) claim="$first $rest" ;; child) child=$first ;; exit) status=$first ;; stop) [ -n "$status" ] || reason=$first ;; esac
    done <"$folder/record"
  fi
}
# is_alive BOOT PID START
is_alive() {
  [ "$1" = "$(boot_of)" ] && [ "$(start_of "$2")" = "$3" ]
}
# state ID: one line of words, first the state.
state() {
  folder=$runs/$1
  if [ ! -d "$folder" ]; then echo "absent 0"; return; fi
  look_at_record
  alive=
  if [ -z "$status" ] && [ -n "$claim" ]; then
    # A supervisor that is gone may have written the exit after the first look.
    if is_alive $claim; then alive=1; else look_at_record; fi
  fi
  # After the record: what a program wrote is in its log before its exit is in the record.
  size=$(($(wc -c <"$folder/log" 2>/dev/null || echo 0)))
  if [ -n "$status" ]; then
    echo "exited $size $status\${reason:+ $reason}"
  elif [ -n "$alive" ]; then
    set -- $claim
    echo "running $size $2 $child"
  elif [ -n "$claim" ] || [ -n "$(find "$folder" -prune -mmin +1 2>/dev/null)" ]; then
    # Without a claim its starter was killed a while ago.
    echo "lost $size"
  else
    echo "starting $size"
  fi
}
case $1 in
start)
  home_of
  umask 077
  mkdir -p "$runs" || exit 1
  if mkdir "$runs/$2" 2>/dev/null; then
    # A connection that is cut looks like the end of the file: half a command must not run.
    if ! cat >"$runs/$2/run.sh" || [ "$(tail -n 1 "$runs/$2/run.sh")" != "# whole" ]; then
      rm -rf "$runs/$2"
      echo "the program did not arrive whole" >&2
      exit 1
    fi
    : >>"$runs/$2/log"
    if command -v setsid >/dev/null 2>&1; then
      setsid sh -c "$3" nexus supervise "$runs/$2" "$3" </dev/null >/dev/null 2>&1 &
    else
      sh -c "$3" nexus supervise "$runs/$2" "$3" </dev/null >/dev/null 2>&1 &
    fi
    tries=0
    until grep -q '^child' "$runs/$2/record" 2>/dev/null || [ "$tries" -ge 100 ]; do
      tries=$((tries + 1))
      sleep 0.05 2>/dev/null || sleep 1
    done
  else
    cat >/dev/null
  fi
  state "$2"
  ;;
supervise)
  trap '' HUP
  cd "$2" || exit 1
  echo "claim $(boot_of) $$ $(start_of $$)" >>record
  # The program's own shell: what it does to itself does not reach this one.
  sh ./run.sh </dev/null >>log 2>&1 &
  child=$!
  echo "child $child" >>record
  while :; do
    wait "$child"
    status=$?
    kill -0 "$child" 2>/dev/null || break
  done
  until echo "exit $status" >>record; do sleep 1; done
  ;;
state)
  home_of
  state "$2"
  ;;
note)
  home_of
  [ -d "$runs/$2" ] || exit 0
  folder=$runs/$2
  look_at_record
  # What is over was not stopped, and the first reason stays.
  [ -n "$status$reason" ] || echo "stop $3" >>"$runs/$2/record"
  ;;
read)
  home_of
  [ -r "$runs/$2/log" ] || exit 3
  tail -c "+$(($3 + 1))" "$runs/$2/log" | head -c "$4"
  ;;
list)
  home_of
  [ -d "$runs" ] || exit 0
  cd "$runs" || exit 1
  for id in *; do
    if [ -d "$id" ]; then echo "$id $(state "$id")"; fi
  done
  ;;
forget)
  home_of
  case "$(state "$2")" in
  running* | starting*) echo "it still runs" >&2; exit 4 ;;
  esac
  rm -rf "$runs/$2"
  ;;
esac
`;
