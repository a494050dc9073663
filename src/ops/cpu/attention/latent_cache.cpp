#include "ops/latent_cache.h"

#include <algorithm>

#include "ops/cached_row.h"

namespace fathom::cpu {

void latent_cache_write(Device& device, const LatentCacheWrite& a) {
  with_dtype<float, bf16>("latent_cache_write", a.latent.dtype, [&]<class T>(T) {
    const int32_t *sequence = a.sequence.as<int32_t>(), *positions = a.positions.as<int32_t>();
    parallel_ranges(device.threads(), a.latent.rows(), 16, [&](int, int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n)
        std::copy_n(a.latent.row<T>(n), a.latent.cols(),
                    cached_row<T>(a.pages, a.block_table, sequence[n], positions[n]));
    });
  });
}

void latent_cache_read(Device& device, const LatentCacheRead& a) {
  with_dtype<float, bf16>("latent_cache_read", a.out.dtype, [&]<class T>(T) {
    const int32_t *starts = a.kv_starts.as<int32_t>(), *first = a.first ? a.first.as<int32_t>() : nullptr;
    const int64_t B = a.block_table.shape[0];
    parallel_ranges(device.threads(), a.out.rows(), 16, [&](int, int64_t begin, int64_t end) {
      int64_t b = std::upper_bound(starts, starts + B + 1, begin) - starts - 1;
      for (int64_t m = begin; m < end; ++m) {
        while (m >= starts[b + 1]) ++b;
        std::copy_n(cached_row<T>(a.pages, a.block_table, b, m - starts[b] + (first ? first[b] : 0)),
                    a.out.cols(), a.out.row<T>(m));
      }
    });
  });
}

}  // namespace fathom::cpu
