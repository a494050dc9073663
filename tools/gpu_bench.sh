#!/usr/bin/env bash
# All timings on a GPU, with programs built elsewhere: tools/gpu_bench.sh [FOLDER of tools/gpu_bundle.sh] >table.txt
# FATHOM_PEER_PYTHON, a Python with torch and transformers, times the peers in the same run.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(realpath "${1:-out/gpu}")
export LD_LIBRARY_PATH=$folder/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
"$folder/ops_bench" "" cuda
"$folder/step_bench" bench/configs/hidden512.json bf16 16 512 keep cuda
