#!/usr/bin/env bash
# All tests that need a GPU, with programs built elsewhere: tools/gpu_check.sh [FOLDER of tools/gpu_bundle.sh]
#   SANITIZER="compute-sanitizer --tool memcheck --error-exitcode 9" tools/gpu_check.sh    the op tests under a checker
# A program that runs no test, or skips one for want of a GPU, fails.
set -uo pipefail
cd "$(dirname "$0")/.."
folder=$(realpath "${1:-out/gpu}")
export LD_LIBRARY_PATH=$folder/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export FATHOM_SOURCE_DIR=$PWD FATHOM_PROGRAM=$folder/fathom
log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed=()

# run TITLE PROGRAM FILTER
run() {
  echo "== $1"
  # shellcheck disable=SC2086  # the checker's words are several
  ${SANITIZER:-} "$folder/$2" --gtest_filter="$3" >"$log" 2>&1
  local status=$?
  grep -vE '^\[ +(OK|RUN) +\]|^\[-+\]|^$' "$log"
  if [ $status -ne 0 ]; then
    failed+=("$1")
  elif ! grep -qE '^\[  PASSED  \] [1-9][0-9]* test' "$log"; then
    failed+=("$1: no test ran")
  elif grep -q 'needs a GPU' "$log"; then
    failed+=("$1: found no GPU")
  fi
}

gpu='*cuda*:*Cuda*'
if [ -n "${SANITIZER:-}" ]; then
  run ops ops_test "$gpu:-*SampleDrawsTest*:LargeCuda*"
else
  for name in tensor ops model engine train cli; do run "$name" "${name}_test" "$gpu"; done
  export FATHOM_CUDA=ampere
  run "ops, as on an Ampere GPU" ops_test '*Grouped*cuda*:*Attention*cuda*'
  run "model, as on an Ampere GPU" model_test '*real_heads_cuda*'
  run "engine, as on an Ampere GPU" engine_test '*RealHeads*cuda*'
  run "train, as on an Ampere GPU" train_test '*RealHeads*cuda*'
  unset FATHOM_CUDA
  echo "== golden files, layer by layer, and greedy tokens through the engine"
  for golden in tests/golden/*/; do
    for dtype in f32 bf16; do
      "$folder/fathom" verify "$golden" "$golden/golden.safetensors" --layers --device cuda --dtype $dtype >"$log" ||
        { failed+=("$golden $dtype"); grep -v '^ok' "$log"; }
    done
  done
fi
[ ${#failed[@]} -eq 0 ] && echo "all passed" || { printf 'failed: %s\n' "${failed[@]}"; exit 1; }
