// A batched GEMM over the heads; the rows of a head are H tensor rows apart.
#include "ops/absorb.h"

#include "ops/cuda/matmul/gemm.h"

namespace fathom::cuda {
namespace {

// Of t [N, H, D], the matrices [N, D] of the heads.
Matrix heads(const Tensor& t) {
  return {.data = t.data,
          .dtype = t.dtype,
          .row_stride = t.shape[1] * t.row_stride,
          .batch_stride = t.row_stride};
}

// Of kv_b [H, Dn+Dv, Rkv], the rows from `first` on of every head.
Matrix head_rows(const Tensor& kv_b, int64_t first, bool transposed) {
  return {.data = static_cast<std::byte*>(kv_b.data) + first * kv_b.row_stride * size_of(kv_b.dtype),
          .dtype = kv_b.dtype,
          .row_stride = kv_b.row_stride,
          .batch_stride = kv_b.shape[1] * kv_b.row_stride,
          .transposed = transposed};
}

// out[:, h] (=|+=) in[:, h] weight(h) for every head.
void run_heads(const char* op, Device& device, const Tensor& out, const Tensor& in, const Matrix& weight,
               bool accumulate = false) {
  with_dtype<float, bf16>(op, in.dtype, [](auto) {});
  gemm(device, {.M = in.shape[0],
                .N = out.cols(),
                .K = in.cols(),
                .a = heads(in),
                .b = weight,
                .c = heads(out),
                .batch = in.shape[1],
                .accumulate = accumulate});
}

}  // namespace

void absorb_query(Device& device, const AbsorbQuery& a) {
  run_heads("absorb_query", device, a.q_latent, a.q_nope, head_rows(a.kv_b, 0, false));
}

void absorb_output(Device& device, const AbsorbOutput& a) {
  const int64_t Dn = a.kv_b.shape[1] - a.out.cols();
  run_heads("absorb_output", device, a.out, a.ctx, head_rows(a.kv_b, Dn, true), a.accumulate);
}

}  // namespace fathom::cuda
