#!/usr/bin/env bash
# All timings on a GPU, with programs built elsewhere: tools/gpu_bench.sh [FOLDER of tools/gpu_bundle.sh] >table.txt
# FATHOM_PEER_PYTHON, a Python with torch and transformers, times the peers in the same run.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(realpath "${1:-out/gpu}")
export LD_LIBRARY_PATH=$folder/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
"$folder/ops_bench" "" cuda
"$folder/step_bench" bench/configs/hidden512.json bf16 16 512 keep cuda
"$folder/step_bench" bench/configs/moe-1b.json bf16 4 4096 keep cuda
"$folder/generate_bench" configs/deepseek-v2-lite.json bf16 8192 128 cuda
