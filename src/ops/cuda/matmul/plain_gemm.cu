// A tiled matrix product for every shape, stride and mix of types, on the ordinary units in f32. A block
// computes a tile of C, a thread 4 x 4 of it.
#include "ops/cuda/kernel.cuh"
#include "ops/cuda/matmul/gemm.h"

namespace fathom::cuda {
namespace {

constexpr int side = 64, depth = 16, part = 4, threads = (side / part) * (side / part);

// A factor with the side that it shares with C first: element (i, k) of A is A(i, k), of B it is B(k, i).
template <class T>
struct Factor {
  const T* data;
  int64_t side_stride, depth_stride, batch_stride;
};
template <class T>
struct Result {
  T* data;
  int64_t row_stride, batch_stride;
};
struct Sizes {
  int64_t M, N, K;
};

// Rows of a padded width, so that neighbours in depth fall into different banks.
struct Tile {
  alignas(16) float at[depth][side + part];
};

// tile(k, i) = x(first + i, k0 + k), zeros outside. Neighbouring threads read along the dense dimension.
template <class T>
__device__ void load(Tile& tile, const Factor<T>& x, int64_t first, int64_t end, int64_t k0, int64_t K) {
  for (int index = threadIdx.x; index < side * depth; index += threads) {
    const bool along = x.depth_stride == 1;
    const int i = along ? index / depth : index % side, k = along ? index % depth : index / side;
    const bool inside = first + i < end && k0 + k < K;
    tile.at[k][i] = inside ? to_float(x.data[(first + i) * x.side_stride + (k0 + k) * x.depth_stride]) : 0.0f;
  }
}

template <class A, class B, class C>
__global__ __launch_bounds__(threads) void product(Result<C> c, Factor<A> a, Factor<B> b, Sizes sizes,
                                                   bool accumulate) {
  __shared__ Tile a_tile, b_tile;
  const int64_t tiles_across = blocks_for(sizes.N, side);
  const int64_t row = blockIdx.x / tiles_across * side, col = blockIdx.x % tiles_across * side;
  a.data += blockIdx.y * a.batch_stride, b.data += blockIdx.y * b.batch_stride;
  c.data += blockIdx.y * c.batch_stride;
  const int m0 = threadIdx.x / (side / part) * part, n0 = threadIdx.x % (side / part) * part;
  float sums[part][part] = {};
  for (int64_t k0 = 0; k0 < sizes.K; k0 += depth) {
    load(a_tile, a, row, sizes.M, k0, sizes.K);
    load(b_tile, b, col, sizes.N, k0, sizes.K);
    __syncthreads();
    for (int k = 0; k < depth; ++k) {
      const float4 x = *reinterpret_cast<const float4*>(&a_tile.at[k][m0]);
      const float4 y = *reinterpret_cast<const float4*>(&b_tile.at[k][n0]);
      const float xs[part] = {x.x, x.y, x.z, x.w}, ys[part] = {y.x, y.y, y.z, y.w};
      for (int i = 0; i < part; ++i)
        for (int j = 0; j < part; ++j) sums[i][j] += xs[i] * ys[j];
    }
    __syncthreads();
  }
  for (int i = 0; i < part; ++i)
    for (int j = 0; j < part; ++j) {
      const int64_t m = row + m0 + i, n = col + n0 + j;
      if (m >= sizes.M || n >= sizes.N) continue;
      C& out = c.data[m * c.row_stride + n];
      out = from_float<C>(accumulate ? to_float(out) + sums[i][j] : sums[i][j]);
    }
}

// x as a factor whose shared side is its rows (A), or its columns (B).
template <class T>
Factor<gpu_t<T>> factor(const Matrix& x, bool rows_shared) {
  const bool rows_lie_apart = rows_shared != x.transposed;
  return {static_cast<const gpu_t<T>*>(x.data), rows_lie_apart ? x.row_stride : 1,
          rows_lie_apart ? 1 : x.row_stride, x.batch_stride};
}

template <class Body>
void each_dtype(const Gemm& g, Body&& body) {
  with_dtype<float, bf16>("gemm", g.a.dtype, [&](auto a) {
    with_dtype<float, bf16>("gemm", g.b.dtype, [&](auto b) {
      with_dtype<float, bf16>("gemm", g.c.dtype, [&](auto c) { body(a, b, c); });
    });
  });
}

}  // namespace

void plain_gemm(const Device& device, const Gemm& g) {
  each_dtype(g, [&]<class A, class B, class C>(A, B, C) {
    const Result<gpu_t<C>> c{static_cast<gpu_t<C>*>(g.c.data), g.c.row_stride, g.c.batch_stride};
    const dim3 grid(static_cast<unsigned>(blocks_for(g.M, side) * blocks_for(g.N, side)),
                    static_cast<unsigned>(g.batch));
    launch(device, grid, threads, 0, product<gpu_t<A>, gpu_t<B>, gpu_t<C>>, c, factor<A>(g.a, true),
           factor<B>(g.b, false), Sizes{g.M, g.N, g.K}, g.accumulate);
  });
}

}  // namespace fathom::cuda
