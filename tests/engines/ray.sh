#!/usr/bin/env bash
# Real Ray clusters on this machine, for tests: heads on loopback with pretended GPUs.
#
#   ray.sh                     start a, b and c, run the tests, end them
#   ray.sh up [NAME…]          start clusters to work with by hand; without names a and b
#   ray.sh run COMMAND…        run a command against them
#   ray.sh down                end them and remove their folder
#   ray.sh kill NAME           end one at once (SIGKILL)
#   ray.sh start NAME          start one again, at the same address, knowing nothing
#
#   a  16 CPUs, 8 GPUs    b  8 CPUs, 4 GPUs    c  2 CPUs, 1 GPU, wants a token
#
# Ray is installed once, below the target folder. Everything else lives in one folder:
# ENGINE_TEST_RAY_DIR, else a fixed name in TMPDIR. Only processes started here are
# ended, by pid and start time. Every wait has an end.
set -euo pipefail

ENGINES=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
REPO=$(cd "$ENGINES/../.." && pwd)
exec </dev/null
CACHE=${CARGO_TARGET_DIR:-$REPO/target}/engines/ray
VENV=$CACHE/venv
VERSION=2.60.0
# How long the suite may take, in seconds.
SUITE_LIMIT=${ENGINE_TEST_RAY_LIMIT:-480}
TOKEN=token-of-the-tests

say() { printf 'ray.sh: %s\n' "$*"; }
die() {
  printf 'ray.sh: %s\n' "$*" >&2
  exit 1
}

hand_dir() { printf '%s\n' "${ENGINE_TEST_RAY_DIR:-${TMPDIR:-/tmp}/jdray-$(id -u)}"; }
processes() { python3 "$ENGINES/ray/processes.py" "$@"; }

install_ray() {
  if "$VENV/bin/ray" --version 2>/dev/null | grep -q "version $VERSION\$"; then return 0; fi
  say "installing Ray $VERSION into $VENV"
  mkdir -p "$CACHE"
  rm -rf "$VENV"
  python3 -m venv "$VENV" || die "python3 has no venv (Debian: python3-venv)"
  "$VENV/bin/pip" install -q "ray[default]==$VERSION" -c "$ENGINES/ray/constraints.txt" ||
    die "Ray cannot be installed"
}

size() { # name; "CPUS GPUS GIB"
  case $1 in
    a) echo 16 8 64 ;;
    b) echo 8 4 32 ;;
    c) echo 2 1 4 ;;
    *) die "there is no cluster '$1'" ;;
  esac
}

ask() { # name path
  curl -fsS -m 2 -A jobdeck-tests -H "Authorization: Bearer $TOKEN" "$(url "$1")$2"
}
url() { # name
  local ports
  read -r -a ports <"$LAB/$1.ports"
  printf 'http://127.0.0.1:%s\n' "${ports[1]}"
}
is_up() { ask "$1" /api/v0/nodes 2>/dev/null | grep -q '"ALIVE"'; }

launch() { # name
  local name=$1 cpus gpus gib ports home mode=disabled
  read -r cpus gpus gib < <(size "$name")
  [ -s "$LAB/$name.ports" ] || processes ports 6 >"$LAB/$name.ports"
  read -r -a ports <"$LAB/$name.ports"
  [ "$name" != c ] || mode=token
  home=$LAB/$name
  rm -rf "$home"
  mkdir -p "$home"
  # Ray tells its makers of every start, and looks for a cloud around it, unless it
  # finds this file and an address where nobody listens.
  printf 'provider: {type: local}\nmax_workers: 0\n' >"$home/ray_bootstrap_config.yaml"
  # RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0: else 127.0.0.1 is replaced by another address.
  setsid env -i HOME="$home" PATH="$VENV/bin:/usr/local/bin:/usr/bin:/bin" LANG=C.UTF-8 \
    RAY_USAGE_STATS_ENABLED=0 RAY_USAGE_STATS_REPORT_URL=http://127.0.0.1:9/ \
    RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0 RAY_USE_RANDOM_PORTS=1 RAY_enable_worker_prestart=0 \
    RAY_AUTH_MODE="$mode" RAY_AUTH_TOKEN="$TOKEN" \
    AUTOSCALER_METRIC_PORT="${ports[4]}" DASHBOARD_METRIC_PORT="${ports[5]}" \
    "$VENV/bin/ray" start --head --block --disable-usage-stats --node-ip-address=127.0.0.1 \
    --port="${ports[0]}" --include-dashboard=true --dashboard-host=127.0.0.1 \
    --dashboard-port="${ports[1]}" --dashboard-agent-listen-port="${ports[2]}" \
    --ray-client-server-port="${ports[3]}" --num-cpus="$cpus" --num-gpus="$gpus" \
    --memory=$((gib << 30)) --object-store-memory=104857600 --temp-dir="$home/t" \
    >"$LAB/$name.log" 2>&1 &
  echo $! >"$LAB/$name.pid"
  # Its end is told elsewhere.
  disown
}

await_up() { # name
  local limit=$((SECONDS + 90)) pid
  pid=$(<"$LAB/$1.pid")
  until is_up "$1"; do
    kill -0 "$pid" 2>/dev/null || die "cluster $1 ended at once: $(tail -n 5 "$LAB/$1.log")"
    [ "$SECONDS" -lt "$limit" ] || die "cluster $1 does not answer: $(tail -n 5 "$LAB/$1.log")"
    sleep 0.2
  done
}

up() { # names
  local name
  install_ray
  for name in "$@"; do
    if [ -e "$LAB/$name.pid" ] && is_up "$name"; then continue; fi
    end_one "$name"
    launch "$name"
  done
  for name in "$@"; do await_up "$name"; done
  : >"$LAB/env"
  for name in a b c; do
    [ ! -e "$LAB/$name.pid" ] || echo "export ENGINE_TEST_RAY_${name^^}=$(url "$name")" >>"$LAB/env"
  done
  {
    echo "export ENGINE_TEST_RAY_DIR='$LAB' ENGINE_TEST_RAY_CONTROL='${BASH_SOURCE[0]}'"
    echo "export ENGINE_TEST_RAY_TOKEN='$TOKEN' ENGINE_TEST_RAY_CLI='$VENV/bin/ray'"
  } >>"$LAB/env"
}

end_one() { # name [grace]
  [ -e "$LAB/$1.pid" ] || return 0
  processes end "$LAB/$1/" "$(<"$LAB/$1.pid")" "${2:-5}"
  rm -f "$LAB/$1.pid"
}

down() {
  local name
  for name in a b c; do end_one "$name" 0; done
  rm -rf "$LAB"
}

# The suite runs in the background, so that a signal reaches it at once.
SUITE=
finish() {
  trap '' INT TERM HUP
  if [ -n "$SUITE" ]; then
    kill -TERM "$SUITE" 2>/dev/null || true
    wait "$SUITE" 2>/dev/null || true
  fi
  down
}

suite() {
  LAB=$(mktemp -d "${TMPDIR:-/tmp}/jdray.XXXXXX")
  trap finish EXIT
  trap 'exit 130' INT TERM HUP
  up a b c
  # shellcheck disable=SC1091
  . "$LAB/env"
  setsid timeout --foreground --kill-after=10 "$SUITE_LIMIT" bash -e -c '
    cargo test --locked --manifest-path "$0/Cargo.toml" --test contract
    cargo test --locked --manifest-path "$0/Cargo.toml" --test ray -- --ignored
  ' "$REPO" &
  SUITE=$!
  local code=0
  wait "$SUITE" || code=$?
  SUITE=
  [ "$code" = 0 ] || die "the suite failed ($code)"
  say "ok"
}

require_lab() {
  LAB=$(hand_dir)
  [ -O "$LAB" ] || die "no cluster in $LAB: start one with: $0 up"
}

main() {
  local verb=${1:-suite}
  [ $# = 0 ] || shift
  case $verb in
    suite) suite ;;
    up)
      LAB=$(hand_dir)
      mkdir -p -m 711 "$LAB"
      [ -O "$LAB" ] || die "$LAB belongs to somebody else"
      [ $# -gt 0 ] || set -- a b
      up "$@"
      cat "$LAB/env"
      ;;
    run)
      require_lab
      # shellcheck disable=SC1091
      . "$LAB/env"
      exec "$@"
      ;;
    down) require_lab; down; say "down" ;;
    kill) require_lab; end_one "$1" 0 ;;
    start) require_lab; end_one "$1"; launch "$1"; await_up "$1" ;;
    -h | --help | help) sed -n '2,/^set -euo/{/^set -euo/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" ;;
    *) die "unknown command: $verb (see $0 --help)" ;;
  esac
}

main "$@"
