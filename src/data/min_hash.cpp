#include "data/min_hash.h"

#include <algorithm>

#include "base/rng.h"

namespace fathom {
namespace {

// Value k of a shingle x is factor[k] * x + offset[k] modulo 2^32.
struct Functions {
  MinHash factor, offset;
};

Functions make_functions() {
  constexpr uint64_t seed = 0x6d696e68617368;
  Functions f;
  for (size_t k = 0; k < signature_size; ++k) {
    const auto words = philox(seed, k, 0);
    f.factor[k] = words[0] | 1;
    f.offset[k] = words[1];
  }
  return f;
}

[[gnu::always_inline]] inline void take_minima(const Functions& functions, uint32_t shingle,
                                               MinHash& minima) {
  for (size_t k = 0; k < signature_size; ++k)
    minima[k] = std::min(minima[k], functions.factor[k] * shingle + functions.offset[k]);
}

// Products and minima of 32 bits are slow on an x86-64 without SSE4.1.
void take_minima_anywhere(const Functions& functions, uint32_t shingle, MinHash& minima) {
  take_minima(functions, shingle, minima);
}
#if defined(__x86_64__)
[[gnu::target("avx2")]] void take_minima_avx2(const Functions& functions, uint32_t shingle, MinHash& minima) {
  take_minima(functions, shingle, minima);
}
auto* fastest() {
  return __builtin_cpu_supports("avx2") ? take_minima_avx2 : take_minima_anywhere;
}
#else
auto* fastest() {
  return take_minima_anywhere;
}
#endif

}  // namespace

std::optional<MinHash> min_hash(std::span<const Word> words) {
  static const Functions functions = make_functions();
  static auto* const take = fastest();
  if (words.empty()) return std::nullopt;
  const size_t n = std::min(shingle_words, words.size());
  MinHash minima;
  minima.fill(UINT32_MAX);
  for (size_t i = 0; i + n <= words.size(); ++i) {
    const auto x = static_cast<uint32_t>(gram_hash(&words[i], n) >> 32);
    take(functions, x, minima);
  }
  return minima;
}

Sketch sketch_of(const MinHash& signature) {
  Sketch sketch;
  for (size_t k = 0; k < signature_size; ++k)
    sketch[k] = static_cast<uint8_t>((signature[k] * 0x9E3779B1u) >> 24);
  return sketch;
}

double similarity(const Sketch& a, const Sketch& b) {
  int equal = 0;
  for (size_t k = 0; k < signature_size; ++k) equal += a[k] == b[k];
  // Of two different minima one in 256 has the same byte.
  const double share = static_cast<double>(equal) / static_cast<double>(signature_size);
  return std::max(0.0, (256 * share - 1) / 255);
}

}  // namespace fathom
