#include "ops/absorb.h"

namespace fathom::reference {

void absorb_query(Device&, const AbsorbQuery& a) {
  with_dtype<double, float>("absorb_query", a.q_nope.dtype, [&]<class T>(T) {
    const int64_t N = a.q_nope.shape[0], H = a.q_nope.shape[1], Dn = a.q_nope.cols(), Rkv = a.q_latent.cols();
    for (int64_t n = 0; n < N; ++n)
      for (int64_t h = 0; h < H; ++h) {
        const T* q = a.q_nope.row<T>(n * H + h);
        T* latent = a.q_latent.row<T>(n * H + h);
        for (int64_t r = 0; r < Rkv; ++r) {
          T sum = 0;
          for (int64_t d = 0; d < Dn; ++d) sum += a.kv_b[h].row<T>(d)[r] * q[d];
          latent[r] = sum;
        }
      }
  });
}

void absorb_output(Device&, const AbsorbOutput& a) {
  with_dtype<double, float>("absorb_output", a.ctx.dtype, [&]<class T>(T) {
    const int64_t N = a.ctx.shape[0], H = a.ctx.shape[1], Rkv = a.ctx.cols(), Dv = a.out.cols();
    const int64_t Dn = a.kv_b.shape[1] - Dv;
    for (int64_t n = 0; n < N; ++n)
      for (int64_t h = 0; h < H; ++h) {
        const T* ctx = a.ctx.row<T>(n * H + h);
        for (int64_t v = 0; v < Dv; ++v) {
          const T* w = a.kv_b[h].row<T>(Dn + v);
          T sum = 0;
          for (int64_t r = 0; r < Rkv; ++r) sum += w[r] * ctx[r];
          T& out = a.out.row<T>(n * H + h)[v];
          out = a.accumulate ? out + sum : sum;
        }
      }
  });
}

}  // namespace fathom::reference
