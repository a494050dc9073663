// A GEMM per head, as one batch; the rows of a head are H tensor rows apart.
#include "ops/absorb.h"

#include <algorithm>

#include "ops/cpu/matmul/gemm.h"

namespace fathom::cpu {
namespace {

// Head h of t [N, H, D] as a matrix [N, D].
Matrix head(const Tensor& t, int64_t h) {
  return {.data = static_cast<char*>(t.data) + h * t.row_stride * size_of(t.dtype),
          .dtype = t.dtype,
          .row_stride = t.shape[1] * t.row_stride};
}

// out[:, h] (=|+=) in[:, h] b(h) for every head.
template <class Weight>
void run_heads(const char* op, Device& device, const Tensor& out, const Tensor& in, const Weight& weight,
               bool accumulate = false) {
  with_dtype<float, bf16>(op, in.dtype, [](auto) {});
  const int64_t N = in.shape[0], H = in.shape[1];
  Gemm* batch = static_cast<Gemm*>(device.scratch(0, std::max<int64_t>(H, 1) * sizeof(Gemm)));
  for (int64_t h = 0; h < H; ++h) {
    const Matrix c = head(out, h);
    new (batch + h) Gemm{.M = N,
                         .N = out.cols(),
                         .K = in.cols(),
                         .a = head(in, h),
                         .b = weight(h),
                         .c = const_cast<void*>(c.data),
                         .c_dtype = c.dtype,
                         .c_stride = c.row_stride,
                         .accumulate = accumulate};
  }
  gemm_batch(device, {batch, static_cast<size_t>(H)});
}

}  // namespace

void absorb_query(Device& device, const AbsorbQuery& a) {
  const int64_t Dn = a.q_nope.cols();
  run_heads("absorb_query", device, a.q_latent, a.q_nope,
            [&](int64_t h) { return matrix(a.kv_b[h].slice(0, Dn)); });
}

void absorb_output(Device& device, const AbsorbOutput& a) {
  const int64_t Dv = a.out.cols(), Dn = a.kv_b.shape[1] - Dv;
  run_heads(
      "absorb_output", device, a.out, a.ctx, [&](int64_t h) { return transposed(a.kv_b[h].slice(Dn, Dv)); },
      a.accumulate);
}

}  // namespace fathom::cpu
