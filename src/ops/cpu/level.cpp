#include "ops/cpu/level.h"

#include <hwy/targets.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <optional>

#include "base/error.h"

namespace fathom::cpu {
namespace {

// Linux gives a process the AMX tile registers only on request.
bool request_amx() {
#if defined(__x86_64__) && defined(SYS_arch_prctl)
  constexpr int request_permission = 0x1023, tile_data = 18;
  return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
#else
  return false;
#endif
}

bool has(Level level) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  switch (level) {
    case Level::portable:
      return true;
    case Level::avx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case Level::avx512:
      return has(Level::avx2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
             __builtin_cpu_supports("avx512cd");
    case Level::avx512_bf16:
      return has(Level::avx512) && __builtin_cpu_supports("avx512bf16");
    case Level::amx: {
      // CPUID leaf 7: EDX bit 22 AMX-BF16, bit 24 AMX-TILE.
      unsigned a = 7, b = 0, c = 0, d = 0;
      asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
      const bool tiles = (d >> 22 & 1) && (d >> 24 & 1);
      return has(Level::avx512_bf16) && tiles && request_amx();
    }
  }
  return false;
#else
  return level == Level::portable;
#endif
}

Level highest_allowed() {
  const std::vector<Level> supported = supported_levels();
  const char* wanted = std::getenv("FATHOM_CPU");
  if (!wanted || !*wanted) return supported.back();
  std::string names;
  for (Level l : supported) {
    if (name_of(l) == wanted) return l;
    names += (names.empty() ? "" : ", ") + std::string(name_of(l));
  }
  fail("FATHOM_CPU is '{}'; this processor supports {}", wanted, names);
}

void restrict_highway(Level level) {
  int64_t disabled = 0;
  if (level < Level::avx512) disabled |= HWY_AVX3;
  if (level < Level::avx2) disabled |= HWY_AVX2;
  hwy::SetSupportedTargetsForTest(0);
  hwy::DisableTargets(disabled);
}

std::atomic<int> current{-1};

}  // namespace

std::string_view name_of(Level level) {
  constexpr std::string_view names[] = {"portable", "avx2", "avx512", "avx512_bf16", "amx"};
  return names[static_cast<int>(level)];
}

std::vector<Level> supported_levels() {
  static const std::vector<Level> levels = [] {
    std::vector<Level> found;
    for (Level l : {Level::portable, Level::avx2, Level::avx512, Level::avx512_bf16, Level::amx})
      if (has(l)) found.push_back(l);
    return found;
  }();
  return levels;
}

Level level() {
  if (current.load(std::memory_order_acquire) < 0) force_level(highest_allowed());
  return static_cast<Level>(current.load(std::memory_order_acquire));
}

void force_level(Level level) {
  restrict_highway(level);
  current.store(static_cast<int>(level), std::memory_order_release);
}

}  // namespace fathom::cpu
