#!/usr/bin/env bash
# Does the cluster of slurm.sh work at all? Submits an array with a task that fails,
# waits for its end, reads states and logs, cancels a job; here and over ssh.
set -euo pipefail

fail() {
  printf 'smoke: %s\n' "$*" >&2
  exit 1
}
expect() { # what wanted got
  [ "$2" = "$3" ] || fail "$1: wanted «$2», got «$3»"
  printf 'smoke: %s\n' "$1"
}
# Waits until the command prints the wanted text, at most a minute.
await() { # what wanted command…
  local limit=$((SECONDS + 60)) what=$1 wanted=$2 got=
  shift 2
  while [ "$SECONDS" -lt "$limit" ]; do
    got=$("$@" 2>&1) || true
    [ "$got" != "$wanted" ] || {
      printf 'smoke: %s\n' "$what"
      return 0
    }
    sleep 0.1
  done
  fail "$what: wanted «$wanted», still «$got»"
}

login() { timeout 30 ssh -F "$ENGINE_TEST_SSH_CONFIG" -o BatchMode=yes "$@"; }
states() { timeout 15 squeue --noheader --array --states=all --jobs="$1" --Format='JobArrayID:|,State:|' | tr -d ' ' | sort | tr '\n' ' '; }
recorded() { timeout 30 sacct --allocations --noheader --parsable2 --jobs="$1" --format=JobID,State,ExitCode | sort | tr '\n' ' '; }

out=$ENGINE_TEST_SLURM_DIR/smoke
mkdir -p "$out"
cd "$out"

id=$(timeout 30 sbatch --parsable --array=0-2 --gres=gpu:2 --job-name=smoke --comment=key --output="$out/%A_%a.log" <<'END'
#!/bin/bash
echo "task $SLURM_ARRAY_TASK_ID on GPUs $CUDA_VISIBLE_DEVICES"
[ "$SLURM_ARRAY_TASK_ID" != 1 ] || exit 7
END
)
case $id in *[!0-9]* | '') fail "not a job id: $id" ;; esac
await "an array ends" "${id}_0|COMPLETED| ${id}_1|FAILED| ${id}_2|COMPLETED| " states "$id"
grep -q '^task 2 on GPUs [0-7],[0-7]$' "$out/${id}_2.log" || fail "log: $(cat "$out/${id}_2.log")"
if [ "$ENGINE_TEST_SLURM_ACCOUNTING" = 1 ]; then
  await "sacct has it" "${id}_0|COMPLETED|0:0 ${id}_1|FAILED|7:0 ${id}_2|COMPLETED|0:0 " recorded "$id"
else
  expect "sacct says that there is no accounting" "Slurm accounting storage is disabled" "$(timeout 15 sacct 2>&1 || true)"
fi

id=$(printf '#!/bin/bash\nsleep 600\n' | login login sbatch --parsable --output="$out/%j.log")
await "a job sent over ssh runs" "$id|RUNNING| " states "$id"
login login scancel "$id"
await "scancel ends it" "$id|CANCELLED| " states "$id"

expect "the login node has a home of its own" "$ENGINE_TEST_SLURM_DIR/home" "$(login login pwd)"
code=0
login login-locked true 2>/dev/null || code=$?
expect "a locked login needs a person" 255 "$code"
