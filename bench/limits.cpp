// The two limits of this machine's CPU: bytes per second of a copy far larger than the caches, and
// multiply-adds per second from registers.
#include "bench/bench.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/limits.cpp"
#include <hwy/foreach_target.h>
// must come after foreach_target
#include <hwy/highway.h>

#include <algorithm>
#include <chrono>
#include <cstring>

HWY_BEFORE_NAMESPACE();
namespace fathom::bench::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Ten independent chains hide the latency of the multiply-add; they start from different values, or the
// compiler would see that they are one. Returns the number of operations.
double multiply_add(int64_t rounds, float* result) {
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  const V a = hn::Set(d, 0.999f), b = hn::Set(d, 1e-3f);
  V s0 = hn::Set(d, 0), s1 = hn::Set(d, 1), s2 = hn::Set(d, 2), s3 = hn::Set(d, 3), s4 = hn::Set(d, 4);
  V s5 = hn::Set(d, 5), s6 = hn::Set(d, 6), s7 = hn::Set(d, 7), s8 = hn::Set(d, 8), s9 = hn::Set(d, 9);
  for (int64_t i = 0; i < rounds; ++i) {
    s0 = hn::MulAdd(s0, a, b), s1 = hn::MulAdd(s1, a, b), s2 = hn::MulAdd(s2, a, b);
    s3 = hn::MulAdd(s3, a, b), s4 = hn::MulAdd(s4, a, b), s5 = hn::MulAdd(s5, a, b);
    s6 = hn::MulAdd(s6, a, b), s7 = hn::MulAdd(s7, a, b), s8 = hn::MulAdd(s8, a, b);
    s9 = hn::MulAdd(s9, a, b);
  }
  const V sum = hn::Add(hn::Add(hn::Add(s0, s1), hn::Add(s2, s3)),
                        hn::Add(hn::Add(s4, s5), hn::Add(hn::Add(s6, s7), hn::Add(s8, s9))));
  *result = hn::GetLane(hn::SumOfLanes(d, sum));
  return static_cast<double>(rounds) * 10 * 2 * static_cast<double>(hn::Lanes(d));
}

}  // namespace fathom::bench::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fathom::bench {
HWY_EXPORT(multiply_add);

namespace {

// For long enough that the system has spread the threads over the cores.
template <class Body>
double best_seconds(const Body& body) {
  double best = 1e30, total = 0;
  for (int i = 0; i < 5 || total < 0.5; ++i) {
    const auto start = std::chrono::steady_clock::now();
    body();
    const double time = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    best = std::min(best, time), total += time;
  }
  return best;
}

// Copied in pieces: through the caches, as the ops write, or in one piece, where memcpy may go around them;
// whichever is faster.
double copy_speed(int threads, int64_t piece) {
  constexpr int64_t bytes = int64_t{256} << 20;
  const auto from = std::make_unique<char[]>(bytes), to = std::make_unique<char[]>(bytes);
  const double time = best_seconds([&] {
    parallel_ranges(threads, bytes, piece, [&](int, int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i += piece)
        std::memcpy(to.get() + i, from.get() + i, std::min(piece, end - i));
    });
  });
  return 2.0 * bytes / time;
}

double fma_speed(int threads) {
  std::vector<float> results(threads * 64);
  std::vector<double> operations(threads * 64);
  const double time = best_seconds([&] {
    parallel_ranges(threads, threads, 1, [&](int t, int64_t, int64_t) {
      operations[t * 64] = HWY_DYNAMIC_DISPATCH(multiply_add)(5'000'000, &results[t * 64]);
    });
  });
  double total = 0;
  for (double o : operations) total += o;
  return total / time;
}

}  // namespace

Best measure_best_of_cpu(int threads) {
  return {.copy = std::max(copy_speed(threads, 1 << 16), copy_speed(threads, 1 << 27)),
          .flops = fma_speed(threads),
          .flops_name = "f32 multiply-adds"};
}

}  // namespace fathom::bench
#endif
