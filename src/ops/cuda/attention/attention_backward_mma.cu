// The two backward kernels with mma.sync: a warp accumulates dK and dV of 16 keys over tiles of 32 queries of
// each head that reads them, or dQ of 16 queries over tiles of 32 keys.
#include "ops/cuda/attention/attention_mma.cuh"

namespace fathom::cuda {
namespace {

constexpr int tile_rows = 32;

// The block's own rows, and two stages of tiles of the other side: keys with values and queries with douts,
// or the other way round.
template <int Dk, int Dv>
struct Storage {
  Bf16* shared;
  static constexpr int own_size = mma_rows * (SmemTile<Dk>::ld + SmemTile<Dv>::ld),
                       tile_size = tile_rows * (SmemTile<Dk>::ld + SmemTile<Dv>::ld);
  static constexpr size_t bytes = (own_size + 2 * tile_size) * sizeof(Bf16) + 4 * tile_rows * sizeof(float);

  __device__ SmemTile<Dk> own_k() const { return {shared}; }
  __device__ SmemTile<Dv> own_v() const { return {shared + mma_rows * SmemTile<Dk>::ld}; }
  __device__ SmemTile<Dk> tile_k(int64_t j) const { return {shared + own_size + j % 2 * tile_size}; }
  __device__ SmemTile<Dv> tile_v(int64_t j) const { return {tile_k(j).data + tile_rows * SmemTile<Dk>::ld}; }
  // Of a tile of queries; lse in base 2.
  __device__ float* lse(int64_t j) const {
    return reinterpret_cast<float*>(shared + own_size + 2 * tile_size) + j % 2 * 2 * tile_rows;
  }
  __device__ float* delta(int64_t j) const { return lse(j) + tile_rows; }
};

template <int rows, int Dv>
__device__ void load_douts(const SmemTile<Dv>& tile, const MmaInputs& in, const MmaGradients& g,
                           int64_t first, int64_t valid, int h) {
  cp_async_rows<rows>(tile, valid,
                      [&](int r, int c) { return g.dout + ((first + r) * in.H + h) * g.dout_stride + c; });
}

// Tile j of the queries of a head, of `tiles`; after the last comes the next head's first.
struct QueryTile {
  int h, j;

  __device__ QueryTile next(int tiles) const {
    return j + 1 < tiles ? QueryTile{h, j + 1} : QueryTile{h + 1, 0};
  }
};

template <int Dk, int Dv>
__global__ void __launch_bounds__(mma_threads) backward_dkv(MmaInputs in, MmaGradients g) {
  extern __shared__ __align__(128) std::byte shared[];
  const Storage<Dk, Dv> m{reinterpret_cast<Bf16*>(shared)};
  const int kv_head = blockIdx.y, lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size;
  const RowTile tile = find_row_tile(in.kv_starts, in.B, blockIdx.x, mma_rows);
  if (tile.group < 0) return;
  const SequenceBounds s(in, tile.group);
  const int64_t first_row = tile.row + warp * 16 + lane / 4;  // and the key 8 further
  const int64_t skipped = tile.row - s.keys - s.causal_offset(),
                first = s.queries + (skipped > 0 ? skipped : 0);
  const int tiles = static_cast<int>((s.queries_end - first + tile_rows - 1) / tile_rows),
            all_tiles = tiles * in.group;
  const float scale = in.scale * log2_e;
  const auto load_tile = [&](int i, const QueryTile& t) {
    if (i < all_tiles) {
      const int64_t query = first + t.j * tile_rows, valid = s.queries_end - query;
      load_queries<tile_rows>(m.tile_k(i), in, query, valid, t.h);
      load_douts<tile_rows>(m.tile_v(i), in, g, query, valid, t.h);
      if (threadIdx.x < tile_rows) {
        const int64_t row = (query + threadIdx.x) * in.H + t.h;
        m.lse(i)[threadIdx.x] = threadIdx.x < valid ? g.lse[row] * log2_e : 0;
        m.delta(i)[threadIdx.x] = threadIdx.x < valid ? g.delta[row] : 0;
      }
    }
    __pipeline_commit();
  };
  load_keys<mma_rows>(m.own_k(), in, tile.row, tile.end - tile.row, kv_head);
  load_values<mma_rows>(m.own_v(), in, tile.row, tile.end - tile.row, kv_head);
  QueryTile at{kv_head * in.group, 0};
  load_tile(0, at);

  float dk[Dk / 8][4] = {}, dv[Dv / 8][4] = {};
  for (int i = 0; i < all_tiles; ++i, at = at.next(tiles)) {
    load_tile(i + 1, at.next(tiles));
    __pipeline_wait_prior(1);
    __syncthreads();
    float p[tile_rows / 8][4] = {}, ds[tile_rows / 8][4] = {};
    mma_abt<tile_rows>(p, m.own_k(), warp * 16, m.tile_k(i), lane);
    mma_abt<tile_rows>(ds, m.own_v(), warp * 16, m.tile_v(i), lane);
    const int64_t query = first + at.j * tile_rows;
    if (tile.row + warp * 16 + 15 >= s.visible_end(query))  // else all queries see the warp's keys
      apply_mask_kq(p, static_cast<int>(first_row - s.visible_end(query)) + 1, lane);
    probabilities_kq(p, scale, m.lse(i), lane);
    score_gradients_kq(
        ds, [&](int n, int c) { return p[n][c]; }, in.scale, m.delta(i), lane);
    mma_ab<tile_rows>(dv, p, m.tile_v(i), lane);
    mma_ab<tile_rows>(dk, ds, m.tile_k(i), lane);
    __syncthreads();
  }
  store_key_gradients(in, g, dk, dv, first_row, tile.end, kv_head, lane);
}

template <int Dk, int Dv>
__global__ void __launch_bounds__(mma_threads) backward_dq(MmaInputs in, MmaGradients g) {
  extern __shared__ __align__(128) std::byte shared[];
  const Storage<Dk, Dv> m{reinterpret_cast<Bf16*>(shared)};
  const int h = blockIdx.y, kv_head = in.kv_head(h), lane = threadIdx.x % warp_size,
            warp = threadIdx.x / warp_size;
  const RowTile tile = find_row_tile(in.q_starts, in.B, longest_tile_first(), mma_rows);
  if (tile.group < 0) return;
  const SequenceBounds s(in, tile.group);
  const int64_t first_row = tile.row + warp * 16 + lane / 4;  // and the query 8 further
  const int64_t tiles = (s.visible_end(tile.end - 1) - s.keys + tile_rows - 1) / tile_rows;
  const float scale = in.scale * log2_e;
  const QueryStatistics statistics(g, first_row, tile.end, h, in.H);
  const auto load_tile = [&](int64_t j) {
    const int64_t key = s.keys + j * tile_rows;
    if (j < tiles) {
      load_keys<tile_rows>(m.tile_k(j), in, key, s.keys_end - key, kv_head);
      load_values<tile_rows>(m.tile_v(j), in, key, s.keys_end - key, kv_head);
    }
    __pipeline_commit();
  };
  load_queries<mma_rows>(m.own_k(), in, tile.row, tile.end - tile.row, h);
  load_douts<mma_rows>(m.own_v(), in, g, tile.row, tile.end - tile.row, h);
  load_tile(0);

  float dq[Dk / 8][4] = {};
  for (int64_t j = 0; j < tiles; ++j) {
    load_tile(j + 1);
    __pipeline_wait_prior(1);
    __syncthreads();
    float p[tile_rows / 8][4] = {}, ds[tile_rows / 8][4] = {};
    mma_abt<tile_rows>(p, m.own_k(), warp * 16, m.tile_k(j), lane);
    mma_abt<tile_rows>(ds, m.own_v(), warp * 16, m.tile_v(j), lane);
    const int64_t key = s.keys + j * tile_rows;
    if (key + tile_rows > s.visible_end(tile.row + warp * 16))  // else the warp's queries see the whole tile
      apply_mask<true>(p, static_cast<int>(s.visible_end(first_row) - key), lane);
    probabilities_qk(p, scale, statistics);
    score_gradients_qk(ds, p, in.scale, statistics);
    mma_ab<tile_rows>(dq, ds, m.tile_k(j), lane);
    __syncthreads();
  }
  store_query_gradients(in, g, dq, first_row, tile.end, h, lane);
}

}  // namespace

bool attention_backward_mma(const Device& device, const AttentionBackward& a, const MmaGradients& g) {
  if (!gradients_aligned(a)) return false;
  return with_head_dim(a, [&]<int Dk, int Dv>(HeadDim<Dk, Dv>) {
    const MmaInputs in = attention_inputs<bf16>(a);
    const auto grid = [&](int64_t rows, int heads) {
      return dim3(static_cast<unsigned>(max_row_tiles(rows, in.B, mma_rows)), static_cast<unsigned>(heads));
    };
    constexpr size_t bytes = Storage<Dk, Dv>::bytes;
    launch(device, grid(g.M, in.G), mma_threads, bytes, backward_dkv<Dk, Dv>, in, g);
    launch(device, grid(a.q.shape[0], in.H), mma_threads, bytes, backward_dq<Dk, Dv>, in, g);
  });
}

}  // namespace fathom::cuda
