# shellcheck shell=bash
# The Debian packages, without letting their services start.

needed_packages() {
  printf '%s\n' slurmctld slurmd slurm-client munge openssh-server openssh-client
  [ "$ACCOUNTING" = 0 ] || printf '%s\n' slurmdbd mariadb-server-core mariadb-client-core
}

missing_packages() {
  local package
  for package in $(needed_packages); do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)" = installed ] || printf '%s\n' "$package"
  done
}

# apt-get with a bound; another apt-get on the machine may hold the lists for a while.
apt_get() { # arguments
  local attempt
  for attempt in 1 2 3 4 5 6; do
    DEBIAN_FRONTEND=noninteractive timeout 300 apt-get -o DPkg::Lock::Timeout=120 "$@" >"$LAB/log/apt.out" 2>&1 && return 0
    grep -q 'Could not get lock' "$LAB/log/apt.out" || return 1
    say "apt-get is busy (attempt $attempt)"
    sleep 5
  done
  return 1
}

install_packages() {
  mkdir -p "$LAB/log"
  local missing policy=/usr/sbin/policy-rc.d ours=0 code=0
  missing=$(missing_packages)
  [ -n "$missing" ] || return 0
  # shellcheck disable=SC2086
  set -- $missing
  [ "$(id -u)" = 0 ] || die "missing packages; as root: apt-get install --no-install-recommends $*"
  say "installing: $*"
  # 101: "do not start this service". A policy that is already there stays.
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\n# made by jobdeck tests/engines/slurm.sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    ours=1
  fi
  apt_get update -qq && apt_get install -y -qq --no-install-recommends "$@" || code=$?
  [ "$ours" = 0 ] || rm -f "$policy"
  [ "$code" = 0 ] || die "apt-get failed: $(tail -n 20 "$LAB/log/apt.out")"
}
