// Attention of bf16 queries to cached rows with mma.sync, bound by reading the cache: grouped-query
// attention, and latent attention of the narrow latents. A block takes a split of the context for up to 32
// heads that read the same rows. Its warps take alternate steps of sixteen rows, each with a pipeline of its
// own in shared memory (cp.async) and a softmax of its own, so that nothing but the end of the split makes
// them wait for one another; there they are merged in order. Cached rows, then columns of values are the M
// dimension of the products and heads are N: tiles of eight heads, which all share the fragments of the rows.
#include "ops/cuda/attention/cached_attention_mma.cuh"

namespace fathom::cuda {
namespace {

using namespace cached_mma;

// The queries of a block as B fragments of Q K^T transposed. Those of four tiles stay in shared memory, for
// the outputs take the registers.
template <class F>
class QueryFragments {
 public:
  using Tile = typename Storage<F>::Queries;

  __device__ explicit QueryFragments(const Tile& tile) : tile_(tile) {
    if constexpr (kept)
#pragma unroll
      for (int k = 0; k < F::Dk; k += 16) load(k, fragments_[k / 16]);
  }
  // scores += rows queries^T for columns k .. k + 15.
  __device__ void multiply(float (&scores)[F::tiles][4], const Fragment& rows, int k) {
    if constexpr (!kept) load(k, fragments_[0]);
    const auto& right = fragments_[kept ? k / 16 : 0];
#pragma unroll
    for (int t = 0; t < F::tiles; ++t) mma_m16n8k16(scores[t], rows, right[t][0], right[t][1]);
  }

 private:
  static constexpr bool kept = F::tiles < 4;

  __device__ void load(int k, uint32_t (&to)[F::tiles][2]) const {
#pragma unroll
    for (int t = 0; t < F::tiles; t += 2) {
      const Fragment two = tile_.b_fragments(t * tile_heads, k, threadIdx.x % warp_size);
      to[t][0] = two.r[0], to[t][1] = two.r[1];
      if (t + 1 < F::tiles) to[t + 1][0] = two.r[2], to[t + 1][1] = two.r[3];
    }
  }

  Tile tile_;
  uint32_t fragments_[kept ? F::Dk / 16 : 1][F::tiles][2];
};

// Accumulators of an output, transposed: of every sixteen columns of values a lane holds lane / 4 and eight
// further, of every tile of heads 2 (lane % 4) and the next.
template <class F>
using Output = float[F::Dv / 16][F::tiles][4];

template <class F>
__device__ void rescale(Output<F>& out, const float (&factors)[F::tiles][2]) {
#pragma unroll
  for (auto& columns : out)
#pragma unroll
    for (int t = 0; t < F::tiles; ++t)
#pragma unroll
      for (int i = 0; i < 4; ++i) columns[t][i] *= factors[t][i % 2];
}

// One step: its scores, their softmax and its share of the output. `valid` rows hold tokens.
template <class F>
__device__ void attend_step(const SmemTile<F::width>& rows, QueryFragments<F>& queries, int valid,
                            float scale, SoftmaxHeads<F::tiles>& softmax, Output<F>& out) {
  const int lane = threadIdx.x % warp_size;
  float scores[F::tiles][4] = {};
#pragma unroll
  for (int k = 0; k < F::Dk; k += 16) queries.multiply(scores, rows.a_fragment(0, k, lane), k);
  if (valid < step_rows) {
#pragma unroll
    for (auto& tile : scores)
#pragma unroll
      for (int i = 0; i < 4; ++i)
        if (lane / 4 + i / 2 * 8 >= valid) tile[i] = -INFINITY;
  }
  float factors[F::tiles][2];
  softmax.update(scores, scale, factors);
  rescale<F>(out, factors);
  uint32_t p[F::tiles][2];  // B fragments
#pragma unroll
  for (int t = 0; t < F::tiles; ++t)
#pragma unroll
    for (int half = 0; half < 2; ++half)
      p[t][half] = transpose_8x8(pack_bf16x2(scores[t][2 * half], scores[t][2 * half + 1]));
#pragma unroll
  for (int c = 0; c < F::Dv; c += 16) {
    const Fragment left = rows.a_fragment_trans(0, F::first_value + c, lane);
#pragma unroll
    for (int t = 0; t < F::tiles; ++t) mma_m16n8k16(out[c / 16][t], left, p[t][0], p[t][1]);
  }
}

// A warp's results, for merge_warps().
template <class F>
__device__ void share_results(Storage<F>& m, const SoftmaxHeads<F::tiles>& softmax, const Output<F>& out) {
  const int lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size, first = lane % 4 * 2;
#pragma unroll
  for (int t = 0; t < F::tiles; ++t) {
#pragma unroll
    for (int j = 0; j < 2; ++j) {
      const int h = t * tile_heads + first + j;
      const float sum = softmax.total(t, j);
      if (lane < 4) m.max[warp][h] = softmax.heads[t][j].max, m.sum[warp][h] = sum;
    }
#pragma unroll
    for (int c = 0; c < F::Dv / 16; ++c)
#pragma unroll
      for (int i = 0; i < 4; ++i)
        m.outputs.out[warp][t * tile_heads + first + i % 2][c * 16 + lane / 4 + i / 2 * 8] = out[c][t][i];
  }
}

// The warps' results become the split's. A warp without a step has the maximum -inf, which gives it no
// weight; every split has a step.
template <class F>
__device__ void merge_warps(const Storage<F>& m, const Work& work, const SplitResults& results) {
  const int lane = threadIdx.x % warp_size;
  for (int h = threadIdx.x / warp_size; h < work.heads_here; h += warps) {
    float largest = m.max[0][h], sum = 0, weights[warps];
#pragma unroll
    for (int w = 1; w < warps; ++w) largest = fmaxf(largest, m.max[w][h]);
#pragma unroll
    for (int w = 0; w < warps; ++w)
      weights[w] = exp2_approx(m.max[w][h] - largest), sum += weights[w] * m.sum[w][h];
    const SplitResult result = results.at(work.n, blockIdx.y, work.first_head + h);
    if (lane == 0) *result.max = largest * ln_2, *result.sum = sum;
#pragma unroll
    for (int c = lane; c < F::Dv; c += warp_size) {
      float total = 0;
#pragma unroll
      for (int w = 0; w < warps; ++w) total += weights[w] * m.outputs.out[w][h][c];
      result.out[c] = total;
    }
  }
}

template <class F>
__device__ void load_queries(const SmemTile<F::Dk>& tile, const CachedQueries<Bf16>& q, const Work& work) {
  const int64_t first_row = work.n * q.H + work.first_head;
  cp_async_rows<Storage<F>::query_rows>(tile, work.heads_here, [&](int h, int c) {
    const int64_t row = first_row + h;
    return c < q.first_columns ? q.first + row * q.first_stride + c
                               : q.second + row * q.second_stride + c - q.first_columns;
  });
  __pipeline_commit();
}

template <class F>
__global__ void __launch_bounds__(threads, 2)
    attend_split(SplitResults results, CachedQueries<Bf16> q, LatentCache<Bf16> cache) {
  extern __shared__ __align__(128) std::byte memory[];
  auto& m = *reinterpret_cast<Storage<F>*>(memory);
  using Rows = typename Storage<F>::Rows;
  const int warp = threadIdx.x / warp_size;
  const Work work(q, results.rule, F::heads);
  if (static_cast<int>(blockIdx.y) >= work.splits) return wait_for_previous_kernel();
  StepLoader<F::width> loader(cache, q, work);
  wait_for_previous_kernel();

  const typename Storage<F>::Queries query_tile{m.queries};
  load_queries<F>(query_tile, q, work);
  for (int i = 0; i < F::stages - 1; ++i) loader.load(Rows{m.rows[warp][i]});
  __pipeline_wait_prior(F::stages - 1);
  __syncthreads();
  QueryFragments<F> queries(query_tile);

  SoftmaxHeads<F::tiles> softmax;
  Output<F> out = {};
  int stage = 0;
  for (int step = work.first_step + warp; step < work.end_step; step += warps) {
    __syncwarp();  // the stage before this one has been read
    loader.load(Rows{m.rows[warp][stage == 0 ? F::stages - 1 : stage - 1]});
    __pipeline_wait_prior(F::stages - 1);
    __syncwarp();
    attend_step<F>(Rows{m.rows[warp][stage]}, queries, work.length - step * step_rows, q.scale * log2_e,
                   softmax, out);
    if (++stage == F::stages) stage = 0;
  }
  __pipeline_wait_prior(0);
  __syncthreads();
  share_results<F>(m, softmax, out);
  __syncthreads();
  merge_warps<F>(m, work, results);
}

template <int Dk, int first_value, int Dv>
struct Slice {
  static bool is_of(const CachedQueries<Bf16>& q) {
    return q.columns == Dk && q.first_value == first_value && q.values == Dv &&
           q.slice == Form<Dk, first_value, Dv, 1>::width;
  }
};

// Calls body(Slice) for that of the queries, if there is a kernel for it.
template <class Body>
void with_slice(const CachedQueries<Bf16>& q, const Body& body) {
  const auto take = [&](auto slice) {
    if (slice.is_of(q)) body(slice);
  };
  [&]<size_t... i>(std::index_sequence<i...>) {
    (take(Slice<mma_paged_heads[i].qk, mma_paged_heads[i].qk, mma_paged_heads[i].v>()), ...);
  }
  (std::make_index_sequence<mma_paged_heads.size()>());
  [&]<size_t... i>(std::index_sequence<i...>) {
    (take(Slice<narrow_latents[i].latent + narrow_latents[i].rope, 0, narrow_latents[i].latent>()), ...);
  }
  (std::make_index_sequence<narrow_latents.size()>());
}

}  // namespace

bool cached_attention_mma_supports(const CachedQueries<Bf16>& q, const LatentCache<Bf16>& cache) {
  bool has_slice = false;
  with_slice(q, [&](auto) { has_slice = true; });
  return has_slice && rows_aligned(q, cache);
}

void cached_attention_mma(const Device& device, const CachedQueries<Bf16>& q, int64_t N,
                          const LatentCache<Bf16>& cache, const SplitResults& results) {
  // Of a group: as few blocks as there can be, and of those the smallest.
  const int64_t tiles = ceil_div(ceil_div(q.group, tile_heads), ceil_div(q.group, max_heads)),
                blocks = ceil_div(q.group, tiles * tile_heads);
  // The blocks of a query's heads are neighbours: together they read whole cached rows, from memory once.
  const dim3 grid(static_cast<unsigned>(N * (q.H / q.group) * blocks), static_cast<unsigned>(results.splits));
  with_slice(q, [&]<int Dk, int first_value, int Dv>(Slice<Dk, first_value, Dv>) {
    [&]<size_t... i>(std::index_sequence<i...>) {
      const auto take = [&]<class F>(F) {
        if (tiles == F::tiles)
          launch_chained(device, grid, threads, sizeof(Storage<F>), attend_split<F>, results, q, cache);
      };
      (take(Form<Dk, first_value, Dv, i + 1>()), ...);
    }
    (std::make_index_sequence<max_tiles>());
  });
}

}  // namespace fathom::cuda
