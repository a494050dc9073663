// The two backward kernels by Hopper's instruction: a block holds the gradients of 128 keys and goes over the
// queries that see them, or those of 128 queries and goes over the keys they see.
#include "ops/cuda/attention_wgmma.cuh"

namespace fathom::cuda {
namespace {

constexpr int stages = 3;  // one worked on, one that the other warpgroup may still work on, one on its way
using Memory = BlockMemory<stages, true>;

// lse and delta of the queries a block of keys goes over, behind the tiles.
struct Statistics {
  float *lse, *delta;
  static constexpr size_t bytes = stages * 2 * tile_rows * sizeof(float);

  __device__ Statistics(const Memory& m, int64_t j)
      : lse(m.after() + j % stages * 2 * tile_rows), delta(lse + tile_rows) {}
};

template <int rows>
__device__ void copy_douts(Bf16* to, const MmaInputs& in, const MmaGradients& g, int64_t first, int64_t valid,
                           int h) {
  copy_to_boxes<rows, wide_v, wgmma_threads>(
      to, valid, wide_v, [&](int r, int c) { return g.dout + ((first + r) * in.H + h) * g.dout_stride + c; });
}

__device__ void gradients_of_keys(const Memory& m, const MmaInputs& in, const MmaGradients& g) {
  const int h = blockIdx.y, lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size;
  const RowTile tile = find_row_tile(in.kv_starts, in.B, blockIdx.x, block_rows);
  if (tile.group < 0) return;
  const SequenceBounds s(in, tile.group);
  const int64_t first_row = tile.row + warp * 16 + lane / 4;  // the lane's other key is 8 further
  const int64_t skipped = tile.row - s.keys - s.ahead(), first = s.queries + (skipped > 0 ? skipped : 0);
  const int64_t tiles = (s.queries_end - first + tile_rows - 1) / tile_rows;
  const float scale = in.scale * log2_e;
  const auto fetch = [&](int64_t j) {
    const int64_t query = first + j * tile_rows, valid = s.queries_end - query;
    if (j < tiles) {
      copy_queries<tile_rows>(m.tile_k(j), in, query, valid, h);
      copy_douts<tile_rows>(m.tile_v(j), in, g, query, valid, h);
      if (threadIdx.x < tile_rows) {
        const int64_t at = (query + threadIdx.x) * in.H + h;
        const Statistics t(m, j);
        t.lse[threadIdx.x] = threadIdx.x < valid ? g.lse[at] * log2_e : 0;
        t.delta[threadIdx.x] = threadIdx.x < valid ? g.delta[at] : 0;
      }
    }
    __pipeline_commit();
  };
  copy_keys<block_rows>(m.block_k(), in, tile.row, tile.end - tile.row, h);
  copy_values<block_rows>(m.block_v(), in, tile.row, tile.end - tile.row, h);
  fetch(0);

  float dk[wide_k / 8][4] = {}, dv[wide_v / 8][4] = {};
  LeftRows weights, gradients;
  for (int64_t j = 0; j < tiles; ++j) {
    __pipeline_wait_prior(0);
    publish_boxes();
    __syncthreads();
    float scores[tile_rows / 8][4];
    products_begin();
    score<wide_k>(scores, m.block_k(), m.tile_k(j));
    products_commit();
    fetch(j + 1);  // where tile j - 2 was: all are past it
    const int64_t query = first + j * tile_rows;
    const Sight sight = {
        .whole = query + tile_rows <= s.queries_end && tile.row + warp * 16 + 15 < s.seen(query),
        .rows = block_rows,
        .columns = static_cast<int>(s.queries_end - query),
        .ahead = static_cast<int>(s.seen(query) - first_row)};
    const Statistics t(m, j);
    products_wait<0>();
    products_written(scores);
    weigh_keys(scores, sight, scale, t.lse, lane);
    weights.take(scores);
    products_begin();
    float ds[tile_rows / 8][4];
    score<wide_v>(ds, m.block_v(), m.tile_v(j));
    products_commit();
    add_product(dv, weights, m.tile_v(j));
    products_commit();
    products_wait<1>();
    products_written(ds);
    score_gradients_of_keys(ds, weights, in.scale, t.delta, lane);
    gradients.take(ds);
    products_begin();
    add_product(dk, gradients, m.tile_k(j));
    products_commit();
    products_wait<0>();
  }
  products_written(dk), products_written(dv);
  store_key_gradients(in, g, dk, dv, first_row, tile.end, h, lane);
}

__device__ void gradients_of_queries(const Memory& m, const MmaInputs& in, const MmaGradients& g) {
  const int h = blockIdx.y, lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size;
  const RowTile tile = find_row_tile(in.q_starts, in.B, last_first(), block_rows);
  if (tile.group < 0) return;
  const SequenceBounds s(in, tile.group);
  const int64_t first_row = tile.row + warp * 16 + lane / 4;  // the lane's other query is 8 further
  const int64_t tiles = (s.seen(tile.end - 1) - s.keys + tile_rows - 1) / tile_rows;
  const float scale = in.scale * log2_e;
  const QueryStatistics statistics(g, first_row, tile.end, h, in.H);
  const auto fetch = [&](int64_t j) {
    const int64_t key = s.keys + j * tile_rows;
    if (j < tiles) {
      copy_keys<tile_rows>(m.tile_k(j), in, key, s.keys_end - key, h);
      copy_values<tile_rows>(m.tile_v(j), in, key, s.keys_end - key, h);
    }
    __pipeline_commit();
  };
  copy_queries<block_rows>(m.block_k(), in, tile.row, tile.end - tile.row, h);
  copy_douts<block_rows>(m.block_v(), in, g, tile.row, tile.end - tile.row, h);
  fetch(0);

  float dq[wide_k / 8][4] = {};
  LeftRows gradients;
  for (int64_t j = 0; j < tiles; ++j) {
    __pipeline_wait_prior(0);
    publish_boxes();
    __syncthreads();
    float p[tile_rows / 8][4], ds[tile_rows / 8][4];
    products_begin();
    score<wide_k>(p, m.block_k(), m.tile_k(j));
    products_commit();
    score<wide_v>(ds, m.block_v(), m.tile_v(j));
    products_commit();
    fetch(j + 1);  // where tile j - 2 was: all are past it
    const int64_t key = s.keys + j * tile_rows;
    const Sight sight = {
        .whole = key + tile_rows <= s.seen(tile.row + warp * 16) && tile.row + warp * 16 + 15 < tile.end,
        .rows = static_cast<int>(tile.end - first_row),
        .columns = tile_rows,
        .ahead = static_cast<int>(s.seen(first_row) - key)};
    products_wait<1>();  // and for the last tile's gradients
    products_written(p);
    weigh_queries(p, sight, scale, statistics, lane);
    products_wait<0>();
    products_written(ds);
    score_gradients_of_queries(ds, p, in.scale, statistics);
    gradients.take(ds);
    products_begin();
    add_product(dq, gradients, m.tile_k(j));
    products_commit();
  }
  products_wait<0>();
  products_written(dq);
  store_query_gradients(in, g, dq, first_row, tile.end, h, lane);
}

__global__ void __launch_bounds__(wgmma_threads) backward_keys(MmaInputs in, MmaGradients g) {
  extern __shared__ __align__(128) std::byte shared[];
  if constexpr (wgmma_here) gradients_of_keys(Memory(shared), in, g);
}

__global__ void __launch_bounds__(wgmma_threads) backward_queries(MmaInputs in, MmaGradients g) {
  extern __shared__ __align__(128) std::byte shared[];
  if constexpr (wgmma_here) gradients_of_queries(Memory(shared), in, g);
}

}  // namespace

bool attention_backward_wgmma(const Device& device, const AttentionBackward& a, const MmaGradients& g) {
  if (!suits_wgmma(device, a) || !gradients_fit(a)) return false;
  const MmaInputs in = attention_inputs<bf16>(a);
  const auto grid = [&](int64_t rows) {
    return dim3(static_cast<unsigned>(most_row_tiles(rows, in.B, block_rows)), static_cast<unsigned>(in.H));
  };
  launch(device, grid(g.M), wgmma_threads, Memory::bytes + Statistics::bytes, backward_keys, in, g);
  launch(device, grid(a.q.shape[0]), wgmma_threads, Memory::bytes, backward_queries, in, g);
  return true;
}

}  // namespace fathom::cuda
