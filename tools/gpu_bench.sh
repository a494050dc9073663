#!/usr/bin/env bash
# All timings on a GPU, with programs built elsewhere: tools/gpu_bench.sh [FOLDER of tools/gpu_bundle.sh] >table.txt
# FATHOM_PEER_PYTHON, a Python with torch and transformers, times the peers in the same run, and FATHOM_FLASHMLA (tools/README.md)
# that of latent attention. PARTS says which of "ops training generation v2" to run, by default all; OPS is what the names of
# the ops' rows must contain: PARTS=ops OPS=latent_attention tools/gpu_bench.sh
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(realpath "${1:-out/gpu}")
export LD_LIBRARY_PATH=$folder/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
command -v mpirun >/dev/null || LD_LIBRARY_PATH+=:$folder/mpi
parts=${PARTS:-ops training generation v2} python=${FATHOM_PEER_PYTHON:-}
if [ -n "${FATHOM_FLASHMLA:-}" ] && [ ! -x "$FATHOM_FLASHMLA" ]; then echo "FATHOM_FLASHMLA is no program: $FATHOM_FLASHMLA" >&2; exit 1; fi
wants() { [[ " $parts " == *" $1 "* ]]; }
peer() { # script and arguments
  if [ -z "$python" ]; then echo "skipped, as FATHOM_PEER_PYTHON is not set: $1"; return; fi
  timeout 200 "$python" "bench/peers/$1" "${@:2}" 2>/dev/null || echo "$1 did not finish in 200 s: ${*:2}"
}

if wants ops; then
  table=$(mktemp) # first fathom's, then the peer's: not both at once
  "$folder/ops_bench" "${OPS:-}" cuda >"$table"
  if [ -z "$python" ]; then cat "$table"; else "$python" bench/peers/torch_ops.py <"$table"; fi
  rm -f "$table"
fi
if wants training; then # fathom, the peer, fathom again: a machine that slows down slows both
  "$folder/step_bench" bench/configs/moe-1b.json bf16 4 4096 keep cuda
  for form in bf16 autocast; do
    peer torch_train.py bench/configs/moe-1b.json --device cuda --dtype $form --batch 4 --length 4096 \
      --modes compiled:grouped_mm,eager:grouped_mm --budget 150
  done
  "$folder/step_bench" bench/configs/moe-1b.json bf16 4 4096 keep cuda
fi
if wants generation; then
  "$folder/generate_bench" configs/deepseek-v2-lite.json bf16 512 128 cuda
  "$folder/generate_bench" configs/deepseek-v2-lite.json bf16 8192 128 cuda
  peer torch_generate.py configs/deepseek-v2-lite.json --device cuda --dtypes bf16 --experts grouped_mm --prompt 512 --new 128 --compiled
  peer torch_generate.py configs/deepseek-v2-lite.json --device cuda --dtypes bf16 --experts grouped_mm,batched_mm --prompt 512 --new 64
  peer torch_generate.py configs/deepseek-v2-lite.json --device cuda --dtypes bf16 --experts grouped_mm --prompt 8192 --new 16
  "$folder/batch_bench" configs/deepseek-v2-lite.json bf16 cuda 0 64x1024+128 256x1024+128 256x1024+256:64 256x1024+256:64@16
  peer torch_generate.py configs/deepseek-v2-lite.json --device cuda --dtypes bf16 --experts grouped_mm --batch 64 --prompt 1024 --new 32
fi
if wants v2; then # DeepSeek-V2's own layers, four of them
  "$folder/generate_bench" bench/configs/v2-layers.json bf16 8192 32 cuda
  "$folder/batch_bench" bench/configs/v2-layers.json bf16 cuda 0 128x4096+32
fi
