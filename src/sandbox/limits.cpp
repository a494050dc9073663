#include "sandbox/limits.h"

#include "base/error.h"

namespace fathom {
namespace {

// `most` keeps sums of limits far from overflow.
template <class T>
void check_limit(const char* name, T value, T least, T most) {
  check(value >= least && value <= most, "sandbox limit {} must be between {} and {}, got {}", name, least,
        most, value);
}

}  // namespace

void check_limits(const SandboxLimits& limits) {
  constexpr int64_t kib = 1 << 10, tib = int64_t{1} << 40;
  check_limit("wall_seconds", limits.wall_seconds, 0.01, 86400.0);
  check_limit("cpu_seconds", limits.cpu_seconds, 0.01, 86400.0);
  check_limit("memory_bytes", limits.memory_bytes, 1024 * kib, tib);
  check_limit("processes", limits.processes, 1, 100000);
  check_limit("open_files", limits.open_files, 16, 1 << 20);
  check_limit("file_bytes", limits.file_bytes, int64_t{0}, tib);
  check_limit("disk_bytes", limits.disk_bytes, 64 * kib, tib);
  check_limit("disk_files", limits.disk_files, 1, 1 << 30);
  check_limit("output_bytes", limits.output_bytes, int64_t{0}, tib);
  check_limit("flood_bytes", limits.flood_bytes, int64_t{1}, tib);
}

}  // namespace fathom
