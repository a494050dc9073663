#!/usr/bin/env bash
# All tests that need a GPU, with programs built elsewhere: tools/gpu_check.sh [FOLDER of tools/gpu_bundle.sh]
#   SANITIZER="compute-sanitizer --tool memcheck --error-exitcode 9" tools/gpu_check.sh    the op tests under a checker
set -uo pipefail
cd "$(dirname "$0")/.."
folder=$(realpath "${1:-out/gpu}")
export LD_LIBRARY_PATH=$folder/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export FATHOM_SOURCE_DIR=$PWD FATHOM_PROGRAM=$folder/fathom
names=(tensor ops model engine train cli) tests='*cuda*:*Cuda*'
[ -n "${SANITIZER:-}" ] && names=(ops) tests+=':-*SampleDrawsTest*:LargeCuda*'
failed=()
for name in "${names[@]}"; do
  echo "== $name"
  # shellcheck disable=SC2086  # the checker's words are several
  ${SANITIZER:-} "$folder/${name}_test" --gtest_filter="$tests" --gtest_brief=1 || failed+=("$name")
done
if [ -z "${SANITIZER:-}" ]; then
  echo "== ops, as on an Ampere GPU"
  FATHOM_CUDA=ampere "$folder/ops_test" --gtest_filter='*Grouped*cuda*:*Attention*cuda*' --gtest_brief=1 || failed+=("ops as on Ampere")
fi
echo "== golden files, greedy tokens through the engine"
for golden in tests/golden/*/; do
  for dtype in f32 bf16; do
    [ -n "${SANITIZER:-}" ] && continue
    "$folder/fathom" verify "$golden" "$golden/golden.safetensors" --device cuda --dtype $dtype >/tmp/fathom_verify.$$ ||
      { failed+=("$golden $dtype"); grep -v '^ok' /tmp/fathom_verify.$$; }
  done
done
rm -f /tmp/fathom_verify.$$
[ ${#failed[@]} -eq 0 ] && echo "all passed" || { echo "failed: ${failed[*]}"; exit 1; }
