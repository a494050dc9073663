# Sourced by ./quickstart and ./check: installs what fathom is built from, and builds a CMake preset. Debian 12 or
# Ubuntu 24.04; packages come from the distribution only.

packages=(
  g++ cmake ninja-build pkg-config git ca-certificates python3
  libfmt-dev libspdlog-dev nlohmann-json3-dev libcli11-dev libtomlplusplus-dev
  libpcre2-dev libxxhash-dev libzstd-dev zlib1g-dev libsnappy-dev libhwy-dev libboost-dev libssl-dev libgtest-dev libgmock-dev
  bubblewrap
)
clang_packages=(clang libomp-dev libclang-rt-dev)
# For several ranks. ./quickstart does without: it runs one process, and a build finds out what there is.
mpi_packages=(libopenmpi-dev openmpi-bin)

say() { printf '\033[1m== %s\033[0m\n' "$*"; }

# Installs the named packages that are missing, with sudo when we are not root.
install() {
  local missing=()
  for p in "$@"; do
    dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'install ok installed' || missing+=("$p")
  done
  [ ${#missing[@]} -eq 0 ] && return
  say "installing ${missing[*]}"
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "these packages are needed, and neither root nor sudo is at hand: ${missing[*]}" >&2; exit 1; }
    as_root=(sudo)
  fi
  "${as_root[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# build PRESET [cmake configure arguments...] -- [targets...]
build() {
  local preset=$1 configure=() targets=()
  shift
  while [ $# -gt 0 ] && [ "$1" != -- ]; do configure+=("$1"); shift; done
  [ $# -gt 0 ] && shift
  for t in "$@"; do targets+=(--target "$t"); done
  say "building preset $preset"
  cmake --preset "$preset" "${configure[@]}" >/dev/null
  cmake --build --preset "$preset" -j"$(nproc)" "${targets[@]}"
}
