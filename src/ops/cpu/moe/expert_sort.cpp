// A stable counting sort. Each thread counts its own range of tokens; a scan over (expert, thread) turns the
// counts into first rows, and each thread then scatters its tokens in order.
#include <algorithm>

#include "ops/expert_sort.h"

namespace fathom::cpu {

void expert_sort(Device& device, const ExpertSort& a) {
  const int64_t N = a.ids.shape[0], K = a.ids.shape[1], E = a.offsets.count() - 1;
  const int threads = device.threads();
  int32_t* next = static_cast<int32_t*>(device.shared_scratch(threads * E * sizeof(int32_t)));
  std::fill_n(next, threads * E, 0);
  auto each_range = [&](auto&& place) {
    parallel_ranges(threads, N, 256, [&](int thread, int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n)
        for (int64_t k = 0; k < K; ++k)
          if (const int32_t e = a.ids.row<int32_t>(n)[k]; e != ExpertSort::nowhere)
            place(n, k, next[thread * E + e]);
          else
            a.row_of.row<int32_t>(n)[k] = ExpertSort::nowhere;
    });
  };
  each_range([](int64_t, int64_t, int32_t& count) { ++count; });
  int32_t row = 0, *offsets = a.offsets.as<int32_t>();
  for (int64_t e = 0; e < E; ++e) {
    offsets[e] = row;
    for (int t = 0; t < threads; ++t) {
      const int32_t count = next[t * E + e];
      next[t * E + e] = row;
      row += count;
    }
  }
  offsets[E] = row;
  int32_t* token_of = a.token_of.as<int32_t>();
  each_range([&](int64_t n, int64_t k, int32_t& place) {
    token_of[place] = static_cast<int32_t>(n);
    a.row_of.row<int32_t>(n)[k] = place++;
  });
  std::fill(token_of + row, token_of + N * K, 0);
}

}  // namespace fathom::cpu
