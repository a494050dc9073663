# Sourced by gpu_check.sh and gpu_sanitize.sh, with their arguments: runs tests of a folder of tools/gpu_bundle.sh.
# A program that runs no test, or skips one for want of a GPU, has failed.
# shellcheck shell=bash
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit
folder=$(realpath "${1:-out/gpu}")
export LD_LIBRARY_PATH=$folder/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
command -v mpirun >/dev/null || LD_LIBRARY_PATH+=:$folder/mpi
export FATHOM_SOURCE_DIR=$PWD FATHOM_PROGRAM=$folder/fathom
log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed=()

# run TITLE FILTER COMMAND...: the tests that match, by a command that takes gtest's arguments
run() {
  local title=$1 filter=$2 status=0
  shift 2
  echo "== $title"
  "$@" --gtest_filter="$filter" >"$log" 2>&1 || status=$?
  grep -vE '^\[ +(OK|RUN) +\]|^\[-+\]|^$' "$log"
  if [ $status -eq 124 ] || [ $status -eq 137 ]; then
    failed+=("$title: out of time after $(grep -c '^\[ *OK ' "$log") tests, in $(sed -n 's/^\[ RUN *\] //p' "$log" | tail -1)")
  elif [ $status -ne 0 ]; then
    failed+=("$title")
  elif ! grep -qE '^\[  PASSED  \] [1-9][0-9]* test' "$log"; then
    failed+=("$title: no test ran")
  elif grep -q 'needs a GPU' "$log"; then
    failed+=("$title: found no GPU")
  fi
}

# The last line, and the exit status.
report() {
  if [ ${#failed[@]} -eq 0 ]; then echo "all passed"; else printf 'failed: %s\n' "${failed[@]}"; exit 1; fi
}
