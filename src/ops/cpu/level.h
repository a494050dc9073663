// Which instruction set the CPU kernels use: chosen at run time from what the processor has, so one binary
// runs everywhere. A test, or the variable FATHOM_CPU, can force a lower level.
#pragma once
#include <string_view>
#include <vector>

namespace fathom::cpu {

// In rising order; each level includes the ones before it.
//   avx512_bf16: bf16 dot products (vdpbf16ps); amx: bf16 tile products.
enum class Level { portable, avx2, avx512, avx512_bf16, amx };

std::string_view name_of(Level level);

// The levels this processor and operating system can run, lowest first.
std::vector<Level> supported_levels();

// The level in force: the highest supported one, unless FATHOM_CPU (read once) or force_level says lower. An
// unknown or unsupported name is an Error that lists the supported ones.
Level level();
// Not for use while kernels run.
void force_level(Level level);

}  // namespace fathom::cpu
