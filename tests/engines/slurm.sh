#!/usr/bin/env bash
# A real Slurm cluster on this machine, for tests: one controller, two nodes of
# eight pretended GPUs, accounting, and an sshd that plays the login node.
#
#   slurm.sh                     all flavours, one after the other: start, test, end
#   slurm.sh up [OPTION…]        start a cluster to work with by hand
#   slurm.sh run COMMAND…        run a command against it
#   slurm.sh down                end it and remove its folder
#   slurm.sh stop|start DAEMON   end or start one daemon (list: `slurm.sh daemons`)
#   slurm.sh kill DAEMON         end one daemon at once (SIGKILL); `start` brings it back
#   slurm.sh freeze|thaw DAEMON  stop it answering without ending it (SIGSTOP, SIGCONT)
#   slurm.sh set KEY=VALUE…      change slurm.conf and restart the controller and the nodes
#   slurm.sh daemons             the daemons with their pids
#
# Options of `up`:
#   --plain           without slurmdbd: no sacct, no accounts, no limits
#   --cgroup-memory   hold jobs to their memory by cgroup (OUT_OF_MEMORY; needs a writable cgroup)
#
# Everything lives in one folder: ENGINE_TEST_SLURM_DIR, else a fixed name in TMPDIR.
# Only processes started here are ended, by pid and start time. Every wait has an end.
set -euo pipefail

ENGINES=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
REPO=$(cd "$ENGINES/../.." && pwd)
# Nothing here reads the terminal, and stdin may be closed.
exec </dev/null
export PATH="${PATH:-/usr/bin:/bin}:/usr/sbin:/sbin" LC_ALL=C.UTF-8
# The caller's own Slurm settings must not leak into the cluster or its clients.
while IFS= read -r name; do unset "$name"; done < <(compgen -e | grep -E '^(SLURM|SBATCH|SQUEUE|SACCT|SCANCEL|SINFO)_' || true)

# shellcheck source=slurm/process.sh
. "$ENGINES/slurm/process.sh"
# shellcheck source=slurm/install.sh
. "$ENGINES/slurm/install.sh"
# shellcheck source=slurm/config.sh
. "$ENGINES/slurm/config.sh"
# shellcheck source=slurm/cluster.sh
. "$ENGINES/slurm/cluster.sh"

# How long one suite may take, in seconds.
SUITE_LIMIT=${ENGINE_TEST_SLURM_LIMIT:-1200}

use_dir() { # folder; sets the paths that everything else reads
  LAB=$1
  export SLURM_CONF=$LAB/etc/slurm.conf
}

hand_dir() { printf '%s\n' "${ENGINE_TEST_SLURM_DIR:-${TMPDIR:-/tmp}/jobdeck-slurm-$(id -u)}"; }

require_cluster() {
  use_dir "$(hand_dir)"
  if [ ! -O "$LAB" ] || [ ! -e "$LAB/env" ]; then die "no cluster in $LAB: start one with: $0 up"; fi
}

# Starts a cluster in $LAB; on any failure prints why and leaves nothing running.
up() { # options of `up`
  ACCOUNTING=1 CGROUP_MEMORY=0
  local option
  for option in "$@"; do
    case $option in
      --plain) ACCOUNTING=0 ;;
      --cgroup-memory) CGROUP_MEMORY=1 ;;
      *) die "unknown option: $option" ;;
    esac
  done
  install_packages
  write_config
  start_cluster
}

up_by_hand() {
  use_dir "$(hand_dir)"
  [ ! -e "$LAB" ] || [ -O "$LAB" ] || die "$LAB belongs to somebody else"
  if [ -e "$LAB/env" ] && cluster_answers; then
    say "already up: $LAB"
    return 0
  fi
  end_cluster
  mkdir -m 711 "$LAB"
  failed=1
  trap 'abandon "$failed"' EXIT
  trap 'failed=0; exit 130' INT TERM HUP
  up "$@"
  trap - EXIT INT TERM HUP
  say "up in $LAB; try: $0 run sinfo"
}

# The last thing that happens to a cluster that is not to stay. Nothing interrupts it.
abandon() { # 1: something failed, show the logs
  trap '' INT TERM HUP
  [ "$1" = 0 ] || show_logs
  end_cluster || true
}

# Start, test, end. Runs in a background shell, whose end is the end of the cluster.
suite() { # options of `up`
  use_dir "$(mktemp -d "${TMPDIR:-/tmp}/jobdeck-slurm.XXXXXX")"
  chmod 711 "$LAB"
  failed=1
  trap 'end_command; abandon "$failed"' EXIT
  trap 'failed=0; exit 130' INT TERM HUP
  up "$@"
  # shellcheck disable=SC1091
  . "$LAB/env"
  if [ -e "$REPO/tests/slurm.rs" ] || [ -e "$REPO/tests/slurm/main.rs" ]; then
    command=(cargo test --locked --manifest-path "$REPO/Cargo.toml" --test slurm --test contract -- --include-ignored "${ONLY[@]}")
  else
    command=(bash "$ENGINES/slurm/smoke.sh")
  fi
  bounded_command "${command[@]}" || die "the suite failed ($?): ${command[*]}"
  failed=0
}

# Runs a suite in the background, so that a signal reaches it at once and not after its end.
flavour() { # options of `up`
  local code=0
  suite "$@" &
  SUITE_PID=$!
  wait "$SUITE_PID" || code=$?
  SUITE_PID=
  return "$code"
}

# A background shell does not hear the terminal's interrupt, so it is passed on.
interrupted() {
  trap '' INT TERM HUP
  if [ -n "${SUITE_PID:-}" ]; then
    say "interrupted: ending the cluster" >&2
    kill -TERM "$SUITE_PID" 2>/dev/null || true
    wait "$SUITE_PID" || true
  fi
  exit 130
}

# Names of the tests that a suite runs; none: all.
ONLY=()

# Why no job can be held to its memory here; nothing: it can.
cgroup_memory_missing() {
  local root=/sys/fs/cgroup/memory probe
  [ "$(id -u)" = 0 ] || { echo "it needs root"; return; }
  [ -e "$root/memory.limit_in_bytes" ] || [ -e "$root/memory.usage_in_bytes" ] || { echo "no memory cgroup (v1) in $root"; return; }
  probe=$root/jobdeck-probe-$$
  if mkdir "$probe" 2>/dev/null; then rmdir "$probe"; else echo "$root cannot be written"; fi
}

# What a flavour without cgroup cannot show: a job that was ended for its memory.
with_cgroup_memory() {
  local why
  why=$(cgroup_memory_missing)
  if [ -n "$why" ]; then
    say "!! NOT RUN HERE: OUT_OF_MEMORY, because $why"
    not_run+=("OUT_OF_MEMORY ($why)")
    return 0
  fi
  ONLY=(a_job_over_its_memory)
  flavour --cgroup-memory || failed+=("with memory held by cgroup")
  ONLY=()
}

all() {
  trap interrupted INT TERM HUP
  local failed=() not_run=()
  say "== with accounting"
  flavour || failed+=("with accounting")
  say "== without accounting"
  flavour --plain || failed+=("without accounting")
  say "== with memory held by cgroup"
  with_cgroup_memory
  [ "${#failed[@]}" = 0 ] || die "FAILED: ${failed[*]}"
  say "ok, ${#not_run[@]} not run here${not_run[*]:+: ${not_run[*]}}"
}

main() {
  local verb=${1:-suite}
  [ $# = 0 ] || shift
  case $verb in
    suite) all ;;
    up) up_by_hand "$@" ;;
    run)
      require_cluster
      [ $# -gt 0 ] || die "run what?"
      # shellcheck disable=SC1091
      . "$LAB/env"
      exec "$@"
      ;;
    down) use_dir "$(hand_dir)"; end_cluster; say "down" ;;
    stop) require_cluster; each stop_daemon "$@" ;;
    start) require_cluster; read_facts; each start_daemon "$@" ;;
    kill) require_cluster; each signal_daemon KILL "$@" ;;
    freeze) require_cluster; each signal_daemon STOP "$@" ;;
    thaw) require_cluster; each signal_daemon CONT "$@" ;;
    set) require_cluster; read_facts; set_config "$@" ;;
    daemons) require_cluster; list_daemons ;;
    -h | --help | help) sed -n '2,/^set -euo/{/^set -euo/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" ;;
    *) die "unknown command: $verb (see $0 --help)" ;;
  esac
}

main "$@"
