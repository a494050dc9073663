// The two backward kernels on the tensor cores. Over keys: a warp holds the gradients of 16 keys and sees 32
// queries at a time, as the columns of its scores. Over queries: a warp holds those of 16 queries and sees 32
// keys at a time.
#include "ops/cuda/attention/attention_mma.cuh"

namespace fathom::cuda {
namespace {

constexpr int at_once = 32;

// The side a block stays with, and two tiles in turn of the side it goes over: keys with values and queries
// with douts, or the other way round.
template <int Dk, int Dv>
struct Memory {
  Bf16* shared;
  static constexpr int mine_size = mma_rows * (Tile<Dk>::ld + Tile<Dv>::ld),
                       other_size = at_once * (Tile<Dk>::ld + Tile<Dv>::ld);
  static constexpr size_t bytes = (mine_size + 2 * other_size) * sizeof(Bf16) + 4 * at_once * sizeof(float);

  __device__ Tile<Dk> mine() const { return {shared}; }
  __device__ Tile<Dv> mine_v() const { return {shared + mma_rows * Tile<Dk>::ld}; }
  __device__ Tile<Dk> others(int64_t j) const { return {shared + mine_size + j % 2 * other_size}; }
  __device__ Tile<Dv> others_v(int64_t j) const { return {others(j).data + at_once * Tile<Dk>::ld}; }
  // Of the queries gone over; lse in powers of two.
  __device__ float* lse(int64_t j) const {
    return reinterpret_cast<float*>(shared + mine_size + 2 * other_size) + j % 2 * 2 * at_once;
  }
  __device__ float* delta(int64_t j) const { return lse(j) + at_once; }
};

template <int rows, int Dv>
__device__ void copy_douts(const Tile<Dv>& tile, const MmaInputs& in, const MmaGradients& g, int64_t first,
                           int64_t valid, int h) {
  copy_rows<rows>(tile, valid,
                  [&](int r, int c) { return g.dout + ((first + r) * in.H + h) * g.dout_stride + c; });
}

template <int Dk, int Dv>
__global__ void __launch_bounds__(mma_threads) backward_keys(MmaInputs in, MmaGradients g) {
  extern __shared__ __align__(128) std::byte shared[];
  const Memory<Dk, Dv> m{reinterpret_cast<Bf16*>(shared)};
  const int h = blockIdx.y, lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size;
  const RowTile tile = find_row_tile(in.kv_starts, in.B, blockIdx.x, mma_rows);
  if (tile.group < 0) return;
  const SequenceBounds s(in, tile.group);
  const int64_t first_row = tile.row + warp * 16 + lane / 4;  // the lane's other key is 8 further
  const int64_t skipped = tile.row - s.keys - s.ahead(), first = s.queries + (skipped > 0 ? skipped : 0);
  const int64_t tiles = (s.queries_end - first + at_once - 1) / at_once;
  const float scale = in.scale * log2_e;
  const auto fetch = [&](int64_t j) {
    const int64_t query = first + j * at_once, valid = s.queries_end - query;
    if (j < tiles) {
      copy_queries<at_once>(m.others(j), in, query, valid, h);
      copy_douts<at_once>(m.others_v(j), in, g, query, valid, h);
      if (threadIdx.x < at_once) {
        const int64_t at = (query + threadIdx.x) * in.H + h;
        m.lse(j)[threadIdx.x] = threadIdx.x < valid ? g.lse[at] * log2_e : 0;
        m.delta(j)[threadIdx.x] = threadIdx.x < valid ? g.delta[at] : 0;
      }
    }
    __pipeline_commit();
  };
  copy_keys<mma_rows>(m.mine(), in, tile.row, tile.end - tile.row, h);
  copy_values<mma_rows>(m.mine_v(), in, tile.row, tile.end - tile.row, h);
  fetch(0);

  float dk[Dk / 8][4] = {}, dv[Dv / 8][4] = {};
  for (int64_t j = 0; j < tiles; ++j) {
    fetch(j + 1);
    __pipeline_wait_prior(1);
    __syncthreads();
    float p[at_once / 8][4] = {}, ds[at_once / 8][4] = {};
    times_rows<at_once>(p, m.mine(), warp * 16, m.others(j), lane);
    times_rows<at_once>(ds, m.mine_v(), warp * 16, m.others_v(j), lane);
    const int64_t query = first + j * at_once;
    const Sight sight = {
        .whole = query + at_once <= s.queries_end && tile.row + warp * 16 + 15 < s.seen(query),
        .rows = mma_rows,
        .columns = static_cast<int>(s.queries_end - query),
        .ahead = static_cast<int>(s.seen(query) - first_row)};
    weigh_keys(p, sight, scale, m.lse(j), lane);
    score_gradients_of_keys(
        ds, [&](int n, int i) { return p[n][i]; }, in.scale, m.delta(j), lane);
    times_columns<at_once>(dv, p, m.others_v(j), lane);
    times_columns<at_once>(dk, ds, m.others(j), lane);
    __syncthreads();
  }
  store_key_gradients(in, g, dk, dv, first_row, tile.end, h, lane);
}

template <int Dk, int Dv>
__global__ void __launch_bounds__(mma_threads) backward_queries(MmaInputs in, MmaGradients g) {
  extern __shared__ __align__(128) std::byte shared[];
  const Memory<Dk, Dv> m{reinterpret_cast<Bf16*>(shared)};
  const int h = blockIdx.y, lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size;
  const RowTile tile = find_row_tile(in.q_starts, in.B, last_first(), mma_rows);
  if (tile.group < 0) return;
  const SequenceBounds s(in, tile.group);
  const int64_t first_row = tile.row + warp * 16 + lane / 4;  // the lane's other query is 8 further
  const int64_t tiles = (s.seen(tile.end - 1) - s.keys + at_once - 1) / at_once;
  const float scale = in.scale * log2_e;
  const QueryStatistics statistics(g, first_row, tile.end, h, in.H);
  const auto fetch = [&](int64_t j) {
    const int64_t key = s.keys + j * at_once;
    if (j < tiles) {
      copy_keys<at_once>(m.others(j), in, key, s.keys_end - key, h);
      copy_values<at_once>(m.others_v(j), in, key, s.keys_end - key, h);
    }
    __pipeline_commit();
  };
  copy_queries<mma_rows>(m.mine(), in, tile.row, tile.end - tile.row, h);
  copy_douts<mma_rows>(m.mine_v(), in, g, tile.row, tile.end - tile.row, h);
  fetch(0);

  float dq[Dk / 8][4] = {};
  for (int64_t j = 0; j < tiles; ++j) {
    fetch(j + 1);
    __pipeline_wait_prior(1);
    __syncthreads();
    float p[at_once / 8][4] = {}, ds[at_once / 8][4] = {};
    times_rows<at_once>(p, m.mine(), warp * 16, m.others(j), lane);
    times_rows<at_once>(ds, m.mine_v(), warp * 16, m.others_v(j), lane);
    const int64_t key = s.keys + j * at_once;
    const Sight sight = {
        .whole = key + at_once <= s.seen(tile.row + warp * 16) && tile.row + warp * 16 + 15 < tile.end,
        .rows = static_cast<int>(tile.end - first_row),
        .columns = at_once,
        .ahead = static_cast<int>(s.seen(first_row) - key)};
    weigh_queries(p, sight, scale, statistics, lane);
    score_gradients_of_queries(ds, p, in.scale, statistics);
    times_columns<at_once>(dq, ds, m.others(j), lane);
    __syncthreads();
  }
  store_query_gradients(in, g, dq, first_row, tile.end, h, lane);
}

}  // namespace

bool attention_backward_mma(const Device& device, const AttentionBackward& a, const MmaGradients& g) {
  if (!gradients_fit(a)) return false;
  return with_head_size(a, [&]<int Dk, int Dv>(HeadSize<Dk, Dv>) {
    const MmaInputs in = attention_inputs<bf16>(a);
    const auto grid = [&](int64_t rows) {
      return dim3(static_cast<unsigned>(most_row_tiles(rows, in.B, mma_rows)), static_cast<unsigned>(in.H));
    };
    constexpr size_t bytes = Memory<Dk, Dv>::bytes;
    launch(device, grid(g.M), mma_threads, bytes, backward_keys<Dk, Dv>, in, g);
    launch(device, grid(a.q.shape[0]), mma_threads, bytes, backward_queries<Dk, Dv>, in, g);
  });
}

}  // namespace fathom::cuda
