#!/usr/bin/env bash
# The op tests on a GPU under compute-sanitizer's memcheck, initcheck and racecheck, in at most 5 minutes together:
#   tools/gpu_sanitize.sh [FOLDER of tools/gpu_bundle.sh]
# racecheck is many times slower. It gets the bf16 kernels whose warps hand data to each other through shared memory.
set -uo pipefail
# shellcheck source-path=SCRIPTDIR
source "$(dirname "$0")/gpu_tests.sh"
PATH=$PATH:/usr/local/cuda/bin

# Left out: thousands of draws, and tensors of tens of gigabytes (LargeCudaTest).
all='*cuda*:-*SampleDrawsTest*'
shared='*Attention*cuda_bf16:*Grouped*cuda_bf16:*RouterSort*cuda_bf16:*ExpertSort*cuda_bf16'

check() { # TOOL SECONDS FILTER
  run "ops under $1" "$3" timeout -k 5 "$2" compute-sanitizer --tool "$1" --error-exitcode 9 "$folder/ops_test"
}
check memcheck 80 "$all"
check initcheck 80 "$all"

# docs/benchmarks.md says why a report of merge_warpgroups is none. Every other one is a failure.
run "ops under racecheck" "$shared" timeout -k 5 120 compute-sanitizer --tool racecheck "$folder/ops_test"
grep -q 'RACECHECK SUMMARY' "$log" || failed+=("racecheck: did not end")
if grep 'Race reported' "$log" | grep -v 'merge_warpgroups<'; then failed+=("racecheck"); fi
report
