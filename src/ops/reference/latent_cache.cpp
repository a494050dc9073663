#include "ops/latent_cache.h"

#include <algorithm>

#include "ops/cached_row.h"

namespace fathom::reference {

void latent_cache_write(Device&, const LatentCacheWrite& a) {
  with_dtype<double, float>("latent_cache_write", a.latent.dtype, [&]<class T>(T) {
    const int32_t *sequence = a.sequence.as<int32_t>(), *positions = a.positions.as<int32_t>();
    for (int64_t n = 0; n < a.latent.rows(); ++n)
      std::copy_n(a.latent.row<T>(n), a.latent.cols(),
                  cached_row<T>(a.pages, a.block_table, sequence[n], positions[n]));
  });
}

void latent_cache_read(Device&, const LatentCacheRead& a) {
  with_dtype<double, float>("latent_cache_read", a.out.dtype, [&]<class T>(T) {
    const int32_t* starts = a.kv_starts.as<int32_t>();
    for (int64_t b = 0; b < a.block_table.shape[0]; ++b) {
      const int64_t first = a.first ? a.first.as<int32_t>()[b] : 0;
      for (int64_t i = 0; i < starts[b + 1] - starts[b]; ++i)
        std::copy_n(cached_row<T>(a.pages, a.block_table, b, first + i), a.out.cols(),
                    a.out.row<T>(starts[b] + i));
    }
  });
}

}  // namespace fathom::reference
