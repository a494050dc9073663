// The fallback GEMM, for every shape, stride and mix of types, in true f32.
#include "ops/cuda/matmul/simt_gemm.cuh"

#include "ops/cuda/matmul/gemm.h"

namespace fathom::cuda {
namespace {

template <class T>
struct BatchedOperand {
  StridedOperand<T> first;
  int64_t batch_stride;

  // The operand of this block's matrix, from row or column i on.
  __device__ StridedOperand<T> at(int64_t i) const {
    return {first.data + blockIdx.y * batch_stride + i * first.mn_stride, first.mn_stride, first.k_stride};
  }
};
template <class T>
struct Result {
  T* data;
  int64_t row_stride, batch_stride;
};
struct Sizes {
  int64_t M, N, K;
};

template <class A, class B, class C>
__global__ __launch_bounds__(SimtTile<A, B>::threads) void simt_kernel(Result<C> c, BatchedOperand<A> a,
                                                                       BatchedOperand<B> b, Sizes sizes,
                                                                       bool accumulate) {
  using Tile = SimtTile<A, B>;
  __shared__ __align__(16) std::byte shared[Tile::shared_bytes];
  const int64_t tiles_across = ceil_div(sizes.N, Tile::cols);
  const int64_t row = blockIdx.x / tiles_across * Tile::rows, col = blockIdx.x % tiles_across * Tile::cols;
  Tile t(shared);
  t.run(a.at(row), b.at(col), sizes.M - row, sizes.N - col, sizes.K);
  C* out = c.data + blockIdx.y * c.batch_stride;
#pragma unroll
  for (int p = 0; p < Tile::pairs; ++p) {
    const float2 pair = t.pair(p);
    const int64_t m = row + t.row(p), n = col + t.col(p);
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      if (m >= sizes.M || n + i >= sizes.N) continue;
      C& to = out[m * c.row_stride + n + i];
      const float sum = i ? pair.y : pair.x;
      to = from_float<C>(accumulate ? to_float(to) + sum : sum);
    }
  }
}

// is_a: whether the rows of x are shared with C (A), or its columns (B).
template <class T>
BatchedOperand<gpu_t<T>> operand(const Matrix& x, bool is_a) {
  const bool k_major = is_a != x.transposed;
  return {{static_cast<const gpu_t<T>*>(x.data), k_major ? x.row_stride : 1, k_major ? 1 : x.row_stride},
          x.batch_stride};
}

template <class Body>
void with_gemm_dtypes(const Gemm& g, Body&& body) {
  with_dtype<float, bf16>("gemm", g.a.dtype, [&](auto a) {
    with_dtype<float, bf16>("gemm", g.b.dtype, [&](auto b) {
      with_dtype<float, bf16>("gemm", g.c.dtype, [&](auto c) { body(a, b, c); });
    });
  });
}

}  // namespace

void simt_gemm(const Device& device, const Gemm& g) {
  with_gemm_dtypes(g, [&]<class A, class B, class C>(A, B, C) {
    using Tile = SimtTile<gpu_t<A>, gpu_t<B>>;
    const Result<gpu_t<C>> c{static_cast<gpu_t<C>*>(g.c.data), g.c.row_stride, g.c.batch_stride};
    const dim3 grid(static_cast<unsigned>(ceil_div(g.M, Tile::rows) * ceil_div(g.N, Tile::cols)),
                    static_cast<unsigned>(g.batch));
    launch(device, grid, Tile::threads, 0, simt_kernel<gpu_t<A>, gpu_t<B>, gpu_t<C>>, c,
           operand<A>(g.a, true), operand<B>(g.b, false), Sizes{g.M, g.N, g.K}, g.accumulate);
  });
}

}  // namespace fathom::cuda
