// Counter-based random numbers (Philox4x32-10, Salmon et al. 2011): value i of stream (seed, stream) is a
// pure function, so initialisation does not depend on thread count and a resumed run needs to store only a
// counter.
#pragma once
#include <array>
#include <cstdint>

namespace fathom {

inline std::array<uint32_t, 4> philox(uint64_t key, uint64_t counter_low, uint64_t counter_high) {
  std::array<uint32_t, 4> c = {static_cast<uint32_t>(counter_low), static_cast<uint32_t>(counter_low >> 32),
                               static_cast<uint32_t>(counter_high),
                               static_cast<uint32_t>(counter_high >> 32)};
  uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = 0xD2511F53ull * c[0], p1 = 0xCD9E8D57ull * c[2];
    c = {static_cast<uint32_t>(p1 >> 32) ^ c[1] ^ k0, static_cast<uint32_t>(p1),
         static_cast<uint32_t>(p0 >> 32) ^ c[3] ^ k1, static_cast<uint32_t>(p0)};
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return c;
}

// A standard normal number from the first two words of an output of philox(), by Box-Muller; the same bits on
// every processor and GPU (base/box_muller.inc).
double normal_from(uint32_t w0, uint32_t w1);

// A sequential reader of one stream. State is (seed, stream, counter): copy it to save it.
class Rng {
 public:
  explicit Rng(uint64_t seed, uint64_t stream = 0) : seed_(seed), stream_(stream) {}

  uint64_t counter() const { return counter_; }
  void seek(uint64_t counter) { counter_ = counter; }

  uint64_t next_u64() {
    const auto r = philox(seed_, counter_++, stream_);
    return r[0] | (static_cast<uint64_t>(r[1]) << 32);
  }
  // Uniform in [0, 1).
  double uniform() { return static_cast<double>(next_u64() >> 11) * 0x1p-53; }
  // Uniform in 0..n-1, without modulo bias beyond 2^-64 * n.
  uint64_t below(uint64_t n) {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(next_u64()) * n) >> 64);
  }
  // Standard normal (Box-Muller, one value per counter step).
  double normal() {
    const auto r = philox(seed_, counter_++, stream_);
    return normal_from(r[0], r[1]);
  }

 private:
  uint64_t seed_, stream_, counter_ = 0;
};

}  // namespace fathom
