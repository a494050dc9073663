#!/usr/bin/env bash
# Collects what a GPU machine needs to test and time fathom into one folder: the programs of a CUDA build and the
# shared libraries that machine may lack (not the C library: its own must be as new as this one's).
#   tools/gpu_bundle.sh [BUILD, by default build/cuda] [FOLDER, by default out/gpu]
# There: tools/gpu_check.sh FOLDER, tools/gpu_bench.sh FOLDER
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build/cuda} folder=${2:-out/gpu}
rm -rf "$folder"
mkdir -p "$folder/lib" "$folder/mpi"
programs=("$build/fathom")
for name in tensor ops comm model engine train cli; do programs+=("$build/tests/$name/${name}_test"); done
# On several GPUs.
for name in comm/comm model/model train/train train/pipeline; do programs+=("$build/tests/${name}_ranks_test"); done
programs+=("$build/tests/comm/comm_failures")
# gpu_bench.sh needs these; gpu_check.sh does not.
for name in ops comm exchange step generate batch; do [ ! -x "$build/bench/${name}_bench" ] || programs+=("$build/bench/${name}_bench"); done
for program in "${programs[@]}"; do
  strip -o "$folder/$(basename "$program")" "$program"
  ldd "$program" | awk '/=> \// {print $3}' | grep -vE '/(libc|libm|libdl|librt|libpthread|ld-linux[^/]*)\.so' |
    xargs -r cp -nLt "$folder/lib"
done
# A machine with mpirun has the libraries that belong to it.
find "$folder/lib" -regextype posix-extended -regex '.*/lib(mpi|open-rte|open-pal|hwloc|event_[a-z]+|pmix|udev)[-.].*' -exec mv -t "$folder/mpi" {} +
du -sh "$folder"
