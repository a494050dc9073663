#include "ops/latent_attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/cached_row.h"

namespace fathom::reference {
namespace {

template <class T>
T dot(const T* x, const T* y, int64_t n) {
  T sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += x[i] * y[i];
  return sum;
}

}  // namespace

void latent_attention(Device& device, const LatentAttention& a) {
  with_dtype<double, float>("latent_attention", a.out.dtype, [&]<class T>(T) {
    const int64_t H = a.out.shape[1], R = a.out.cols(), Dr = a.q_rope.cols();
    const int32_t *sequence = a.sequence.as<int32_t>(), *positions = a.positions.as<int32_t>();
    for (int64_t n = 0; n < a.out.shape[0]; ++n) {
      const int64_t b = sequence[n], T_seen = positions[n] + 1;
      T* p = static_cast<T*>(device.scratch(0, T_seen * sizeof(T)));
      for (int64_t h = 0; h < H; ++h) {
        const T *q = a.q_latent.row<T>(n * H + h), *q_rope = a.q_rope.row<T>(n * H + h);
        T largest = -std::numeric_limits<T>::infinity(), sum = 0;
        for (int64_t t = 0; t < T_seen; ++t) {
          const T* c = cached_row<T>(a.pages, a.block_table, b, t);
          p[t] = static_cast<T>(a.scale) * (dot(q, c, R) + dot(q_rope, c + R, Dr));
          largest = std::max(largest, p[t]);
        }
        for (int64_t t = 0; t < T_seen; ++t) sum += p[t] = std::exp(p[t] - largest);
        T* out = a.out.row<T>(n * H + h);
        std::fill_n(out, R, T{0});
        for (int64_t t = 0; t < T_seen; ++t) {
          const T* c = cached_row<T>(a.pages, a.block_table, b, t);
          for (int64_t r = 0; r < R; ++r) out[r] += p[t] / sum * c[r];
        }
      }
    }
  });
}

}  // namespace fathom::reference
