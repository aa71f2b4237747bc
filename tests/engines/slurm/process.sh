# shellcheck shell=bash
# Processes that this script starts: their records, their end, and bounded waits.
#
# A record is $LAB/pid/NAME holding "PID STARTTIME"; the start time (ticks after
# boot, field 22 of /proc/PID/stat) tells our process from a later one that was
# given the same number.

say() { printf 'slurm.sh: %s\n' "$*"; }
die() {
  printf 'slurm.sh: %s\n' "$*" >&2
  exit 1
}

# "STATE STARTTIME" of a process; fails when there is none.
process_stat() { # pid
  local line
  { line=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
  # The name in parentheses may hold anything, so count from its end.
  # shellcheck disable=SC2086
  set -- ${line##*) }
  printf '%s %s\n' "$1" "${20}"
}

# The pid of a recorded daemon that still lives; fails when it does not.
# A zombie that nobody reaps has ended.
daemon_pid() { # name
  local pid started state now
  [ -s "$LAB/pid/$1" ] || return 1
  read -r pid started <"$LAB/pid/$1"
  read -r state now < <(process_stat "$pid") || return 1
  [ "$now" = "$started" ] && [ "$state" != Z ] || return 1
  printf '%s\n' "$pid"
}

record_process() { # name pid
  local state started
  read -r state started < <(process_stat "$2") || die "$1 ended at once: $(tail -n 3 "$LAB/log/$1.out")"
  printf '%s %s\n' "$2" "$started" >"$LAB/pid/$1"
}

# Starts a daemon in a session of its own, unless it already runs.
spawn() { # name command…
  local name=$1
  shift
  ! daemon_pid "$name" >/dev/null || return 0
  setsid "$@" >>"$LAB/log/$name.out" 2>&1 </dev/null &
  record_process "$name" $!
}

# Waits until a command succeeds, at most so many seconds.
await() { # seconds what command…
  local limit=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$limit" ] || die "no $what in time"
    sleep 0.05
  done
}

ended() { ! daemon_pid "$1" >/dev/null; }

signal_daemon() { # signal name
  local pid
  pid=$(daemon_pid "$2") || die "$2 does not run"
  kill "-$1" "$pid"
}

# TERM, ten seconds, KILL. A frozen process is woken first, or it would not hear.
stop_daemon() { # name
  local pid
  if pid=$(daemon_pid "$1"); then
    kill -CONT "$pid" 2>/dev/null || true
    kill "$pid" 2>/dev/null || true
    if ! (await 10 "end of $1" ended "$1") 2>/dev/null; then
      say "$1 ($pid) had to be killed" >&2
      kill -KILL "$pid" 2>/dev/null || true
      (await 5 "end of $1" ended "$1") || true
    fi
  fi
  rm -f "$LAB/pid/$1"
}

# Calls a function once for each of the last arguments.
each() { # function [fixed argument] name…
  local call=("$1") name
  shift
  case ${call[0]} in signal_daemon) call+=("$1"); shift ;; esac
  [ $# -gt 0 ] || die "which daemon?"
  for name in "$@"; do "${call[@]}" "$name"; done
}

# Runs a command in a process group of its own, for SUITE_LIMIT seconds at most.
# In the background, so that a signal is handled at once and not after its end.
bounded_command() { # command…
  setsid timeout --foreground --kill-after=10 "$SUITE_LIMIT" "$@" &
  COMMAND_PID=$!
  local code=0
  wait "$COMMAND_PID" || code=$?
  end_command
  return "$code"
}

# Ends what is left of the command's process group.
end_command() {
  [ -n "${COMMAND_PID:-}" ] || return 0
  kill -TERM -- "-$COMMAND_PID" 2>/dev/null || true
  (await 5 "end of the command" group_ended "$COMMAND_PID") 2>/dev/null || kill -KILL -- "-$COMMAND_PID" 2>/dev/null || true
  COMMAND_PID=
}

group_ended() { ! kill -0 -- "-$1" 2>/dev/null; }
