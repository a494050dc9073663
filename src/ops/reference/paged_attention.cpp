#include "ops/paged_attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/cached_row.h"

namespace fathom::reference {

void paged_attention(Device& device, const PagedAttention& a) {
  with_dtype<double, float>("paged_attention", a.out.dtype, [&]<class T>(T) {
    const int64_t H = a.out.shape[1], Dk = a.q.cols(), Dv = a.out.cols(), per_group = H / paged_heads(a);
    for (int64_t n = 0; n < a.out.shape[0]; ++n) {
      const int64_t b = a.sequence.as<int32_t>()[n], keys = a.positions.as<int32_t>()[n] + 1;
      T* p = static_cast<T*>(device.scratch(0, keys * sizeof(T)));
      for (int64_t h = 0; h < H; ++h) {
        const T* q = a.q.row<T>(n * H + h);
        const auto key = [&](int64_t t) {
          return cached_row<T>(a.pages, a.block_table, b, t) + h / per_group * (Dk + Dv);
        };
        T largest = -std::numeric_limits<T>::infinity(), sum = 0;
        for (int64_t t = 0; t < keys; ++t) {
          p[t] = 0;
          for (int64_t c = 0; c < Dk; ++c) p[t] += q[c] * key(t)[c];
          largest = std::max(largest, p[t] *= static_cast<T>(a.scale));
        }
        for (int64_t t = 0; t < keys; ++t) sum += p[t] = std::exp(p[t] - largest);
        T* out = a.out.row<T>(n * H + h);
        std::fill_n(out, Dv, T{0});
        for (int64_t t = 0; t < keys; ++t)
          for (int64_t c = 0; c < Dv; ++c) out[c] += p[t] / sum * key(t)[Dk + c];
      }
    }
  });
}

}  // namespace fathom::reference
