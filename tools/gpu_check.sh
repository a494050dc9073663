#!/usr/bin/env bash
# All tests that need a GPU, with programs built elsewhere: tools/gpu_check.sh [FOLDER of tools/gpu_bundle.sh]
# tools/gpu_sanitize.sh runs the op tests under compute-sanitizer.
set -uo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "$0")/gpu_tests.sh"

for name in tensor ops comm model engine train cli; do run "$name" '*cuda*:*Cuda*' "$folder/${name}_test"; done
export FATHOM_CUDA=ampere
run "ops, as on an Ampere GPU" '*Grouped*cuda*:*Attention*cuda*' "$folder/ops_test"
run "model, as on an Ampere GPU" '*real_heads_cuda*' "$folder/model_test"
for name in engine train; do run "$name, as on an Ampere GPU" '*RealHeads*cuda*' "$folder/${name}_test"; done
unset FATHOM_CUDA
if [ "$(nvidia-smi -L | wc -l)" -gt 1 ] && command -v mpirun >/dev/null; then
  for name in comm model train pipeline; do
    run "$name, a GPU for each of 2 ranks" '*cuda*:*Cuda*' timeout -k 5 240 mpirun --allow-run-as-root -n 2 "$folder/${name}_ranks_test"
  done
fi
echo "== golden files, layer by layer, and greedy tokens through the engine"
for golden in tests/golden/*/; do
  for dtype in f32 bf16; do
    "$folder/fathom" verify "$golden" "$golden/golden.safetensors" --layers --device cuda --dtype $dtype >"$log" ||
      { failed+=("$golden $dtype"); grep -v '^ok' "$log"; }
  done
done
report
