/**
 * The launcher's text. It is written to the agent's home under the hash of its bytes, so that an update of the agent
 * cannot change a script that a living launcher still needs.
 *
 * The launcher reads lines of an order's name and attempt ids, and forks a supervisor for each line. It holds no state of its
 * own: what happened to an attempt is in that attempt's record. It ends when its agent has gone and its supervisors have
 * ended. Waiting for them also keeps their process groups from being orphaned: the kernel would end stopped jobs otherwise.
 *
 * A supervisor reads its order, which defines `begin`, and writes these lines into the record of each of its attempts, which it creates exclusively:
 *   claim BOOT PID START SESSION UPTIME MORE .   the job will be started by this process and by no other, which has MORE
 *                                                attempts yet to claim
 *   child PID .                                  the job's first process, which is also its process group
 *   exit STATUS UPTIME .                         the job's end
 * Every line is one write, and a reader takes a line without its full stop and newline as not yet written (docs/adr/0004).
 *
 * One supervisor runs the attempts of its line side by side where the shell can wait for whichever child ends first
 * (`wait -n -p`, bash 5.1): one fork a job instead of two (docs/adr/0006). Elsewhere a line names one attempt.
 *
 * Ways to give a job a process group of its own, since a job may signal its own group (`kill 0`):
 *   batch   `set -m` gives every background process its group, and the shell has `wait -n -p`.
 *   jobs    `set -m` alone. Needs no program, works in older bash and in ksh.
 *   setsid  dash and busybox refuse `set -m` without a terminal; there the supervisor starts through `setsid -f`. The
 *           job shares its supervisor's group: `kill 0` does no harm, `kill -9 0` costs the exit status.
 *   plain   The setsid of busybox has no -f, so a shell must put it into the background, and everything started there
 *           ignores INT and QUIT: without job control POSIX demands it, and a shell cannot undo it. TERM is not affected.
 *
 * No program runs on the way of a job but the job itself: every fork of this kind costs 0.3 to 0.7 ms.
 */
export const LAUNCHER_SCRIPT = `# Starts jobs for the Nexus agent and outlives it. Safe to leave alone: it ends after the last job.

# Sets self, start, session. Reads /proc in the shell itself; elsewhere asks ps.
identify() {
  if [ "$identity" = proc ]; then
    read -r self _ _ _ _ session _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ start _ </proc/self/stat
  else
    self=$(exec sh -c 'echo "$PPID"')
    session=0
    set -- $(LC_ALL=C ps -o lstart= -p "$self")
    start=$1_$2_$3_$4_$5
  fi
}

# Sets uptime, in seconds with hundredths, or "-" where the system does not tell it.
look_at_clock() {
  uptime=-
  if [ "$identity" = proc ]; then read -r uptime _ </proc/uptime; fi
}

run_claimed() {
  identify
  look_at_clock
  if ! echo "claim $boot $self $start $session $uptime 0 ." >&3; then
    echo "unrecorded $1"
    return
  fi
  if [ "$grouping" = jobs ]; then
    set -m
    (begin "$1") >&4 3>&- 4>&- &
    child=$!
    # The job has its default signals; from here on they can be ignored. A wait that a trap interrupts may lose the
    # child's status for good (bash 5.2 then answers -1).
    trap '' HUP INT QUIT PIPE TERM USR1 USR2 ALRM
    set +m
    echo "child $child ." >&3
    echo "started $1 $self $start $session $uptime 0 $child"
    wait "$child"
    status=$?
    left=left
    kill -0 -- "-$child" 2>/dev/null || left=alone
  else
    echo "started $1 $self $start $session $uptime 0 $self"
    (begin "$1") >&4 3>&- 4>&-
    status=$?
    left=unknown
  fi
  look_at_clock
  if echo "exit $status $uptime ." >&3; then
    echo "exited $1 $status $uptime $left"
    return
  fi
  # The disk is full: tell an agent that lives, and keep trying for one to come. The newline ends a torn line.
  echo "exited $1 $status $uptime $left"
  while [ -e "./$1.record" ]; do
    sleep 1
    if printf '\\nexit %s %s .\\n' "$status" "$uptime" >&3; then return; fi
  done
}

# Signals must not end a supervisor. They are trapped and not ignored until the job is forked, which would inherit that.
# set -C makes the opening of the record exclusive: of two supervisors for one attempt, one stops here.
# An order is removed when its attempts have all begun: whoever comes later finds none.
supervise() {
  trap : HUP INT QUIT PIPE TERM USR1 USR2 ALRM
  claimed=
  set -C
  if [ -e "./$1.sh" ] && . "./$1.sh"; then
    {
      claimed=1
      run_claimed "$2"
    } 2>/dev/null 4>>"./$2.log" 3>"./$2.record"
  fi
  if [ -z "$claimed" ]; then echo "unclaimed $2"; fi
}

# As run_claimed, without waiting for the end. What started is told when all have: one write wakes the agent once.
begin_claimed() {
  look_at_clock
  if ! echo "claim $boot $self $start $session $uptime $more ." >&3; then
    echo "unrecorded $1"
    return
  fi
  (begin "$1") >&4 3>&- 4>&- &
  child=$!
  echo "child $child ." >&3
  begun="$begun""started $1 $self $start $session $uptime $more $child
"
  children="$children $child"
  eval "attempt_$child=\\$1"
  running=$((running + 1))
}

# The status of a child: into its record, and to the agent. A child that is no job is one of insist.
end_of() {
  eval "attempt=\\$attempt_$1"
  if [ -z "$attempt" ]; then return; fi
  unset "attempt_$1"
  running=$((running - 1))
  left=left
  kill -0 -- "-$1" || left=alone
  look_at_clock
  # Of an attempt that was forgotten nothing may come back.
  if [ -e "./$attempt.record" ] && ! echo "exit $2 $uptime ." >>"./$attempt.record"; then
    insist "$attempt" "$2" "$uptime" &
  fi
  echo "exited $attempt $2 $uptime $left"
}

# When bash's wait -n answers for one child, it takes the others that signals have ended meanwhile for told, and never
# answers for them. Their statuses it still has.
collect() {
  alive=
  for child in $children; do
    if kill -0 "$child"; then
      alive="$alive $child"
    else
      wait "$child"
      end_of "$child" "$?"
    fi
  done
  children=$alive
}

# Keeps trying to record an end on a full disk, for an agent to come. The newline ends a torn line.
insist() {
  while [ -e "./$1.record" ]; do
    sleep 1
    if printf '\\nexit %s %s .\\n' "$2" "$3" >>"./$1.record"; then return; fi
  done
}

# The attempts of one line, side by side. They share this process and nothing else: each record and log is open only while
# it is written, so no job inherits that of another.
supervise_all() {
  exec 2>/dev/null
  trap : HUP INT QUIT PIPE TERM USR1 USR2 ALRM
  identify
  set -C
  set -m
  begun=
  children=
  running=0
  order=$1
  shift
  more=$#
  if ! { [ -e "./$order.sh" ] && . "./$order.sh"; }; then more=none; fi
  for attempt; do
    claimed=
    if [ "$more" != none ]; then
      more=$((more - 1))
      {
        claimed=1
        begin_claimed "$attempt"
      } 4>>"./$attempt.log" 3>"./$attempt.record"
    fi
    if [ -z "$claimed" ]; then echo "unclaimed $attempt"; fi
  done
  # All jobs have their default signals; from here on they can be ignored, see run_claimed.
  trap '' HUP INT QUIT PIPE TERM USR1 USR2 ALRM
  set +m
  printf %s "$begun"
  while collect && [ "$running" -gt 0 ]; do
    child=
    wait -n -p child
    status=$?
    if [ -n "$child" ]; then end_of "$child" "$status"; else sleep 1; fi
  done
  wait
}

launch() {
  trap : PIPE
  grouping=none
  set -m 2>/dev/null
  (
    identify
    if [ "$identity" = proc ]; then
      read -r _ _ _ _ group _ </proc/self/stat
    else
      group=$(ps -o pgid= -p "$self")
    fi
    [ "$((group))" -eq "$self" ]
  ) &
  if wait "$!"; then
    grouping=jobs
    (
      : &
      wait -n -p child && [ "$child" -eq "$!" ]
    ) 2>/dev/null && grouping=batch
  elif setsid -f true 2>/dev/null; then
    grouping=setsid
  elif setsid true 2>/dev/null; then
    grouping=plain
  fi
  echo "ready $grouping"
  spawned=0
  while IFS= read -r line; do
    case $line in
    '') jobs >/dev/null ;;
    *)
      case $grouping in
      batch) supervise_all $line </dev/null & ;;
      jobs) supervise $line </dev/null & ;;
      setsid) setsid -f "$shell" "$0" supervise "$identity" "$boot" "$shell" $line </dev/null ;;
      plain) setsid "$shell" "$0" supervise "$identity" "$boot" "$shell" $line </dev/null & ;;
      esac
      spawned=$((spawned + 1))
      if [ "$((spawned % 32))" -eq 0 ]; then jobs >/dev/null; fi
      ;;
    esac
  done
  wait
}

main() {
  identity=$2
  boot=$3
  shell=$4
  grouping=setsid
  if [ "$1" = launch ]; then launch; else supervise "$5" "$6"; fi
}

main "$@"
exit
`;
