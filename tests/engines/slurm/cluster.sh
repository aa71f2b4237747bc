# shellcheck shell=bash
# Starting, checking and ending the daemons.

DAEMONS=(munged mariadbd slurmdbd slurmctld slurmd.gpu1 slurmd.gpu2 sshd)

start_daemon() { # name
  case $1 in
    munged)
      daemon_pid munged >/dev/null || rm -f "$LAB/munge/socket" "$LAB/munge/socket.lock"
      spawn munged munged --foreground --force --key-file="$LAB/munge/key" --socket="$LAB/munge/socket" \
        --pid-file="$LAB/munge/pid" --log-file="$LAB/log/munged.log" --seed-file="$LAB/munge/seed"
      await 15 munged timeout 5 munge --no-input --socket="$LAB/munge/socket"
      ;;
    mariadbd)
      spawn mariadbd mariadbd --no-defaults "${AS_ROOT[@]}" --datadir="$LAB/db" --socket="$LAB/db/socket" --pid-file="$LAB/db/pid" \
        --bind-address=127.0.0.1 --port="$PORT_DATABASE" --skip-name-resolve --skip-log-bin --performance-schema=OFF \
        --innodb-buffer-pool-size=64M --innodb-flush-log-at-trx-commit=0 --innodb-flush-method=nosync --innodb-lock-wait-timeout=900
      await 60 mariadbd sql 'select 1'
      ;;
    slurmdbd)
      spawn slurmdbd slurmdbd -D
      await 60 slurmdbd timeout 15 sacctmgr --noheader show cluster
      ;;
    slurmctld)
      spawn slurmctld slurmctld -D
      await 30 slurmctld controller_answers
      ;;
    slurmd.gpu1 | slurmd.gpu2)
      mkdir -p "$LAB/spool/${1#slurmd.}"
      spawn "$1" slurmd -D -N "${1#slurmd.}"
      await 30 "$1" node_ready "${1#slurmd.}"
      ;;
    sshd)
      # sshd wants its own full path, and as root this folder.
      [ "$(id -u)" != 0 ] || mkdir -p /run/sshd
      spawn sshd /usr/sbin/sshd -D -e -f "$LAB/ssh/sshd_config"
      await 15 sshd timeout 5 ssh -F "$LAB/ssh/config" -o BatchMode=yes login true
      ;;
    *) die "no such daemon: $1 (there are: ${DAEMONS[*]})" ;;
  esac
}

# mariadbd refuses to run as root unless told so.
AS_ROOT=()
[ "$(id -u)" != 0 ] || AS_ROOT=(--user=root)

sql() { timeout 15 mariadb --no-defaults --user=root --socket="$LAB/db/socket" --execute "$1"; }

controller_answers() { timeout 15 scontrol ping | grep -q 'is UP'; }

node_ready() { timeout 15 sinfo --noheader --Node --nodes="$1" --format=%T | grep -qE '^(idle|mixed|allocated|completing)$'; }

cluster_answers() { daemon_pid slurmctld >/dev/null && controller_answers && daemon_pid sshd >/dev/null; }

start_cluster() {
  start_daemon munged
  if [ "$ACCOUNTING" = 1 ]; then
    make_database
    start_daemon slurmdbd
    timeout 60 sacctmgr --immediate --quiet add cluster jobdeck >>"$LAB/log/sacctmgr.out" 2>&1 || die "sacctmgr could not add the cluster"
  fi
  start_daemon slurmctld
  # After the controller: it is what makes gres/gpu known to slurmdbd.
  [ "$ACCOUNTING" = 0 ] || make_accounts
  local node
  for node in "${NODES[@]}"; do start_daemon "slurmd.${node%:*}"; done
  start_daemon sshd
  say "Slurm $(slurm_version) answers, $([ "$ACCOUNTING" = 1 ] && echo with || echo without) accounting"
}

make_database() {
  timeout 120 mariadb-install-db --no-defaults --auth-root-authentication-method=normal --skip-test-db --skip-name-resolve \
    --datadir="$LAB/db" "${AS_ROOT[@]}" >"$LAB/log/install-db.out" 2>&1 || die "mariadb-install-db failed"
  start_daemon mariadbd
  sql "create database slurm; create user slurm@'127.0.0.1' identified by 'slurm'; grant all on slurm.* to slurm@'127.0.0.1'"
}

# Accounts: research (the default, no limit), small (four GPUs together), few (three jobs at once).
# QOS: gpu2 (two GPUs a job, refused beyond), quick (two minutes, refused beyond), urgent (first in line).
make_accounts() {
  local user
  user=$(id -un)
  # Its exit code is that of the last line only, so the answer is checked below.
  timeout 120 sacctmgr --immediate >>"$LAB/log/sacctmgr.out" 2>&1 <<END || true
add qos gpu2 set MaxTRESPerJob=gres/gpu=2 Flags=DenyOnLimit
add qos quick set MaxWall=00:02:00 Flags=DenyOnLimit
add qos urgent set Priority=1000
add account research Description=unlimited Organization=jobdeck
add account small Description=four-gpus Organization=jobdeck GrpTRES=gres/gpu=4
add account few Description=three-jobs Organization=jobdeck MaxSubmitJobs=3
add user $user Account=research DefaultAccount=research QOS=normal,gpu2,quick,urgent DefaultQOS=normal
add user $user Account=small QOS=normal DefaultQOS=normal
add user $user Account=few QOS=normal DefaultQOS=normal
END
  local made account
  made=$(timeout 30 sacctmgr --noheader --parsable2 show assoc where cluster=jobdeck user="$user" format=account | tr '\n' ' ')
  for account in research small few; do
    case " $made" in *" $account "*) ;; *) die "account $account was not made, only: $made" ;; esac
  done
}

# Later lines of slurm.conf win. The nodes are restarted too: every daemon must read the same file.
set_config() { # KEY=VALUE…
  [ $# -gt 0 ] || die "set what?"
  local daemon
  printf '%s\n' "$@" >>"$SLURM_CONF"
  for daemon in slurmd.gpu1 slurmd.gpu2 slurmctld; do stop_daemon "$daemon"; done
  for daemon in slurmctld slurmd.gpu1 slurmd.gpu2; do start_daemon "$daemon"; done
}

list_daemons() {
  local name pid
  for name in "${DAEMONS[@]}"; do
    if pid=$(daemon_pid "$name"); then printf '%-12s %s\n' "$name" "$pid"; fi
  done
}

show_logs() {
  local log
  {
    echo "---- daemons still running"
    list_daemons
    for log in "$LAB"/log/*; do
      [ -s "$log" ] || continue
      # In the foreground a daemon prints its log as well.
      case $log in *.out) [ ! -s "${log%.out}.log" ] || continue ;; esac
      echo "---- ${log##*/} (the end)"
      tail -n 25 "$log"
    done
  } >&2
}

# Ends the jobs, the daemons and the folder. Does what it can, whatever state they are in.
end_cluster() {
  [ -d "$LAB" ] || return 0
  [ -O "$LAB" ] || die "$LAB belongs to somebody else"
  local index
  ! controller_runs || cancel_all
  for ((index = ${#DAEMONS[@]} - 1; index >= 0; index--)); do
    # Batch scripts outlive their slurmd; with it gone no new one starts.
    [ "${DAEMONS[index]}" != slurmctld ] || end_leftover_jobs
    stop_daemon "${DAEMONS[index]}"
  done
  remove_cgroups
  rm -rf "$LAB"
}

controller_runs() {
  local pid
  pid=$(daemon_pid slurmctld) || return 1
  kill -CONT "$pid"
  (await 15 slurmctld controller_answers) 2>/dev/null
}

cancel_all() {
  timeout 30 scancel --full --state=PENDING --user="$(id -un)" 2>/dev/null || true
  timeout 30 scancel --full --user="$(id -un)" 2>/dev/null || true
  (await 15 "end of the jobs" queue_empty) 2>/dev/null || true
}

queue_empty() { [ -z "$(timeout 15 squeue --noheader --states=RUNNING,COMPLETING,SUSPENDED --format=%i)" ]; }

# Jobs that did not hear scancel, because their slurmd was dead: a batch script is
# run from this cluster's own spool, its parent is the slurmstepd that waits for it
# (Debian's file for it is slurmstepd-wlm).
end_leftover_jobs() {
  local entry pid parent
  for entry in /proc/[0-9]*; do
    pid=${entry#/proc/}
    { tr '\0' ' ' <"$entry/cmdline"; } 2>/dev/null | grep -qF " $LAB/spool/" || continue
    parent=$(awk '$1 == "PPid:" { print $2 }' "$entry/status" 2>/dev/null) || continue
    say "ending a leftover job: $pid" >&2
    kill_tree "$pid"
    case $(readlink "/proc/${parent:-0}/exe" 2>/dev/null) in */slurmstepd*) kill -KILL "$parent" 2>/dev/null || true ;; esac
  done
}

kill_tree() { # pid
  local children child
  children=$(cat "/proc/$1/task/$1/children" 2>/dev/null || true)
  kill -KILL "$1" 2>/dev/null || true
  for child in $children; do kill_tree "$child"; done
}

# Slurm leaves its empty cgroups behind; they are named after its nodes.
remove_cgroups() {
  [ -e "$LAB/etc/facts" ] || return 0
  read_facts
  [ "$CGROUP_MEMORY" = 1 ] || return 0
  local node
  for node in "${NODES[@]}"; do
    find /sys/fs/cgroup -depth -type d -path "*/slurm_${node%:*}*" -exec rmdir {} \; 2>/dev/null || true
  done
}
