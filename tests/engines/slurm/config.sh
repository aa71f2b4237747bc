# shellcheck shell=bash
# The configuration files of the cluster, all below $LAB/etc and $LAB/ssh.

# Ports in use, decimal, one a line.
used_ports() {
  local hex
  awk 'FNR > 1 { split($2, a, ":"); print a[2] }' /proc/net/tcp /proc/net/tcp6 2>/dev/null | sort -u |
    while read -r hex; do printf '%d\n' "0x$hex"; done
}

# A free run of eight ports, below the range from which outgoing connections are numbered.
choose_ports() {
  local used base attempt port
  used=" $(used_ports | tr '\n' ' ')"
  for attempt in {1..100}; do
    base=$((10000 + (RANDOM % 2700) * 8))
    for port in $(seq "$base" $((base + 7))); do
      case $used in *" $port "*) continue 2 ;; esac
    done
    printf '%s\n' "$base"
    return 0
  done
  die "no free ports after $attempt attempts"
}

# What later calls must know of a cluster that is up.
write_facts() {
  local base
  base=$(choose_ports)
  cat >"$LAB/etc/facts" <<END
ACCOUNTING=$ACCOUNTING
CGROUP_MEMORY=$CGROUP_MEMORY
PORT_CONTROLLER=$base
PORT_ACCOUNTING=$((base + 1))
PORT_DATABASE=$((base + 2))
PORT_SSH=$((base + 3))
PORT_NODE=$((base + 4))
END
}

read_facts() {
  # shellcheck disable=SC1091
  . "$LAB/etc/facts"
}

# The nodes, each with the type of its eight GPUs.
NODES=(gpu1:a100 gpu2:h100)
GPUS=8
CPUS=64

write_config() {
  umask 022
  mkdir -p "$LAB"/{etc,log,pid,state,gpu,munge,home,ssh}
  chmod 711 "$LAB/munge" "$LAB/ssh"
  write_facts
  read_facts
  (umask 077 && head -c 128 /dev/urandom >"$LAB/munge/key")
  write_slurm_conf >"$LAB/etc/slurm.conf"
  write_gres
  write_cgroup >"$LAB/etc/cgroup.conf"
  [ "$ACCOUNTING" = 0 ] || (umask 077 && write_slurmdbd_conf >"$LAB/etc/slurmdbd.conf")
  write_ssh
  write_env >"$LAB/env"
}

# Slurm listens on what the machine's own name resolves to, or on every address.
# Only where that name is a loopback one can it be held to loopback; elsewhere
# munge is the guard (a caller needs the key in $LAB/munge).
loopback_only() {
  case $(getent ahostsv4 "$(hostname -s)" 2>/dev/null | head -n 1) in 127.*) true ;; *) false ;; esac
}

write_slurm_conf() {
  local user number=0 node memory_plugins listen=
  user=$(id -un)
  memory_plugins='TaskPlugin=task/none
JobAcctGatherParams=OverMemoryKill'
  [ "$CGROUP_MEMORY" = 0 ] || memory_plugins='TaskPlugin=task/cgroup'
  if loopback_only; then
    listen=CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
  else
    say "this machine's name is not a loopback address: Slurm listens on every address" >&2
  fi
  cat <<END
ClusterName=jobdeck
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmctldPort=$PORT_CONTROLLER
SlurmUser=$user
SlurmdUser=$user
AuthType=auth/munge
# A requeued job waits until its old credential has expired.
AuthInfo=socket=$LAB/munge/socket,cred_expire=10
$listen
StateSaveLocation=$LAB/state
SlurmdSpoolDir=$LAB/spool/%n
SlurmctldPidFile=$LAB/state/slurmctld.pid
SlurmdPidFile=$LAB/state/slurmd.%n.pid
SlurmctldLogFile=$LAB/log/slurmctld.log
SlurmdLogFile=$LAB/log/slurmd.%n.log
# The nodes are pretended: believe this file, not the machine.
SlurmdParameters=config_overrides
# No systemd, and no cgroup unless asked for.
ProctrackType=proctrack/linuxproc
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
$memory_plugins
MpiDefault=none
# Quick reactions: tests wait for these.
KillWait=2
CompleteWait=0
MinJobAge=300
SlurmctldTimeout=30
SlurmdTimeout=15
InactiveLimit=0
ReturnToService=2
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_min_interval=10000,bf_interval=2,default_queue_depth=300
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
PriorityType=priority/multifactor
PriorityWeightQOS=1000
# Jobs of "gpu" push out those of "scavenge".
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
# Small, so that a batch needs several arrays: indices 0 to 250.
MaxArraySize=251
MaxJobCount=20000
GresTypes=gpu
DefMemPerCPU=16
END
  [ "$ACCOUNTING" = 0 ] || cat <<END
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=$PORT_ACCOUNTING
# Clients of slurmdbd ignore AuthInfo; this is where they look for the socket.
AccountingStoragePass=$LAB/munge/socket
AccountingStorageEnforce=associations,limits,qos
AccountingStorageTRES=gres/gpu,gres/gpu:a100,gres/gpu:h100
AccountingStoreFlags=job_comment
END
  for node in "${NODES[@]}"; do
    printf 'NodeName=%s NodeHostname=%s NodeAddr=127.0.0.1 Port=%s CPUs=%s Sockets=2 CoresPerSocket=%s ThreadsPerCore=1 RealMemory=512000 Gres=gpu:%s:%s Feature=%s,nvlink State=UNKNOWN\n' \
      "${node%:*}" "$(hostname -s)" $((PORT_NODE + number)) "$CPUS" $((CPUS / 2)) "${node#*:}" "$GPUS" "${node#*:}"
    number=$((number + 1))
  done
  cat <<'END'
PartitionName=gpu Nodes=gpu1,gpu2 Default=YES MaxTime=1-00:00:00 DefaultTime=01:00:00 State=UP PriorityTier=2 PreemptMode=OFF
PartitionName=debug Nodes=gpu1 MaxTime=00:10:00 DefaultTime=00:05:00 State=UP PriorityTier=2 PreemptMode=OFF
PartitionName=scavenge Nodes=gpu1,gpu2 MaxTime=1-00:00:00 DefaultTime=01:00:00 State=UP PriorityTier=1 PreemptMode=REQUEUE
PartitionName=closed Nodes=gpu2 State=DRAIN
END
}

# A GPU must be a character device or a link to one: a plain file is refused.
write_gres() {
  local index node
  for index in $(seq 0 $((GPUS - 1))); do ln -sfn /dev/null "$LAB/gpu/gpu$index"; done
  for node in "${NODES[@]}"; do
    printf 'NodeName=%s Name=gpu Type=%s File=%s/gpu/gpu[0-%s]\n' "${node%:*}" "${node#*:}" "$LAB" $((GPUS - 1))
  done >"$LAB/etc/gres.conf"
}

write_cgroup() {
  if [ "$CGROUP_MEMORY" = 1 ]; then
    printf 'ConstrainRAMSpace=yes\nConstrainSwapSpace=yes\n'
  elif [ "$(printf '23.11\n%s\n' "$(slurm_version)" | sort -V | head -n 1)" = 23.11 ]; then
    printf 'CgroupPlugin=disabled\n'
  else
    printf 'CgroupPlugin=cgroup/v1\n'
  fi
}

slurm_version() { slurmd -V | grep -oE '[0-9]+(\.[0-9]+)+'; }

write_slurmdbd_conf() {
  cat <<END
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort=$PORT_ACCOUNTING
SlurmUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$LAB/munge/socket
LogFile=$LAB/log/slurmdbd.log
PidFile=$LAB/state/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort=$PORT_DATABASE
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm
CommitDelay=0
END
  ! loopback_only || echo CommunicationParameters=NoInAddrAny
}

# The login node. Its HOME is a folder of the cluster: no test touches the real one.
write_ssh() {
  local key
  for key in host user; do ssh-keygen -q -t ed25519 -N '' -C "jobdeck test $key" -f "$LAB/ssh/$key"; done
  # This one asks for a passphrase, as a login that needs a person.
  ssh-keygen -q -t ed25519 -N jobdeck -C 'jobdeck test locked' -f "$LAB/ssh/locked"
  cat "$LAB/ssh/user.pub" "$LAB/ssh/locked.pub" >"$LAB/ssh/authorized_keys"
  printf '[127.0.0.1]:%s %s\n' "$PORT_SSH" "$(cut -d' ' -f1,2 "$LAB/ssh/host.pub")" >"$LAB/ssh/known_hosts"
  cat >"$LAB/ssh/command" <<'END'
#!/bin/sh
# sshd starts in the account's real home folder; begin in the pretended one.
cd "$HOME" || exit 1
[ -z "${SSH_ORIGINAL_COMMAND:-}" ] || exec "$SHELL" -c "$SSH_ORIGINAL_COMMAND"
exec "$SHELL" -l
END
  chmod 755 "$LAB/ssh/command"
  cat >"$LAB/ssh/sshd_config" <<END
ListenAddress 127.0.0.1
Port $PORT_SSH
HostKey $LAB/ssh/host
AuthorizedKeysFile $LAB/ssh/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
PidFile none
SetEnv SLURM_CONF=$SLURM_CONF HOME=$LAB/home
ForceCommand $LAB/ssh/command
Subsystem sftp /usr/lib/openssh/sftp-server
END
  cat >"$LAB/ssh/config" <<END
Host login login-locked
  HostName 127.0.0.1
  Port $PORT_SSH
  User $(id -un)
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile $LAB/ssh/known_hosts
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
Host login
  IdentityFile $LAB/ssh/user
Host login-locked
  IdentityFile $LAB/ssh/locked
END
}

write_env() {
  cat <<END
export SLURM_CONF='$SLURM_CONF'
export PATH="\$PATH:/usr/sbin:/sbin"
export ENGINE_TEST_SLURM_DIR='$LAB'
export ENGINE_TEST_SLURM_ACCOUNTING=$ACCOUNTING
export ENGINE_TEST_SLURM_CGROUP_MEMORY=$CGROUP_MEMORY
export ENGINE_TEST_SLURM_CONTROL='$ENGINES/slurm.sh'
export ENGINE_TEST_SSH_CONFIG='$LAB/ssh/config'
END
}
