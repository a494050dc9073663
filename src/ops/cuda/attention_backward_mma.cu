// The two backward kernels on the tensor cores. Over keys: a warp holds the gradients of 16 keys and sees 32
// queries at a time, as the columns of its scores. Over queries: a warp holds those of 16 queries and sees 32
// keys at a time.
#include "ops/cuda/attention_backward.cuh"
#include "ops/cuda/attention_mma.cuh"

namespace fathom::cuda {
namespace {

using MmaGradients = AttentionGradients<Bf16>;

constexpr int at_once = 32;

// The side a block stays with, and two tiles in turn of the side it goes over.
template <int Dk, int Dv>
struct Memory {
  Tile<Dk> mine, others[2];      // keys and queries, or queries and keys
  Tile<Dv> mine_v, others_v[2];  // values and douts, or douts and values
  float *lse[2], *delta[2];      // of the queries gone over, in powers of two

  __device__ explicit Memory(std::byte* shared) {
    auto* p = reinterpret_cast<Bf16*>(shared);
    mine.data = p, p += mma_rows * Tile<Dk>::ld;
    mine_v.data = p, p += mma_rows * Tile<Dv>::ld;
    for (int i = 0; i < 2; ++i) {
      others[i].data = p, p += at_once * Tile<Dk>::ld;
      others_v[i].data = p, p += at_once * Tile<Dv>::ld;
    }
    auto* f = reinterpret_cast<float*>(p);
    for (int i = 0; i < 2; ++i) lse[i] = f + 2 * i * at_once, delta[i] = lse[i] + at_once;
  }
  static constexpr size_t bytes =
      (mma_rows + 2 * at_once) * (Tile<Dk>::ld + Tile<Dv>::ld) * sizeof(Bf16) + 4 * at_once * sizeof(float);
};

template <int rows, int Dv>
__device__ void copy_douts(const Tile<Dv>& tile, const MmaInputs& in, const MmaGradients& g, int64_t first,
                           int64_t valid, int h) {
  copy_rows<rows>(tile, valid,
                  [&](int r, int c) { return g.dout + ((first + r) * in.H + h) * g.dout_stride + c; });
}

// Two neighbouring columns of a result.
__device__ void store_pair(Bf16* to, const float* pair) {
  *reinterpret_cast<uint32_t*>(to) = pack(pair[0], pair[1]);
}

template <int Dk, int Dv>
__global__ void __launch_bounds__(mma_threads) backward_keys(MmaInputs in, MmaGradients g) {
  extern __shared__ __align__(128) std::byte shared[];
  const Memory<Dk, Dv> m(shared);
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
      copy_queries<at_once>(m.others[j % 2], in, query, valid, h);
      copy_douts<at_once>(m.others_v[j % 2], in, g, query, valid, h);
      if (threadIdx.x < at_once) {
        const int64_t at = (query + threadIdx.x) * in.H + h;
        m.lse[j % 2][threadIdx.x] = threadIdx.x < valid ? g.lse[at] * log2_e : 0;
        m.delta[j % 2][threadIdx.x] = threadIdx.x < valid ? g.delta[at] : 0;
      }
    }
    __pipeline_commit();
  };
  copy_keys<mma_rows>(m.mine, in, tile.row, tile.end - tile.row, h);
  copy_values<mma_rows>(m.mine_v, in, tile.row, tile.end - tile.row, h);
  fetch(0);

  float dk[Dk / 8][4] = {}, dv[Dv / 8][4] = {};
  for (int64_t j = 0; j < tiles; ++j) {
    fetch(j + 1);
    __pipeline_wait_prior(1);
    __syncthreads();
    float p[at_once / 8][4] = {}, ds[at_once / 8][4] = {};
    times_rows<at_once>(p, m.mine, warp * 16, m.others[j % 2], lane);
    times_rows<at_once>(ds, m.mine_v, warp * 16, m.others_v[j % 2], lane);
    // All keys of the warp are seen by all queries, or each pair is looked at.
    const int64_t query = first + j * at_once;
    const bool whole = query + at_once <= s.queries_end && tile.row + warp * 16 + 15 < s.seen(query);
    const int queries_left = static_cast<int>(s.queries_end - query),
              ahead = static_cast<int>(s.seen(query) - first_row);
    for (int n = 0; n < at_once / 8; ++n)
      for (int i = 0; i < 4; ++i) {
        const int column = n * 8 + lane % 4 * 2 + i % 2;
        const bool visible = whole || (column < queries_left && i / 2 * 8 < ahead + column);
        p[n][i] = visible ? power_of_2(p[n][i] * scale - m.lse[j % 2][column]) : 0;
        ds[n][i] = p[n][i] * (ds[n][i] - m.delta[j % 2][column]) * in.scale;
      }
    times_columns<at_once>(dv, p, m.others_v[j % 2], lane);
    times_columns<at_once>(dk, ds, m.others[j % 2], lane);
    __syncthreads();
  }
  for (int row = 0; row < 2; ++row) {
    const int64_t key = first_row + row * 8;
    if (key >= tile.end) continue;
    Bf16* dkv = g.dkv + (key * in.H + h) * g.dkv_stride;
    float* rope = g.rope_heads + (h * g.M + key) * in.Dr;
    for (int n = 0; n < Dk / 8; ++n) {
      const int c = n * 8 + lane % 4 * 2;
      if (c < in.Dn)
        store_pair(dkv + c, dk[n] + 2 * row);
      else
        rope[c - in.Dn] = dk[n][2 * row], rope[c - in.Dn + 1] = dk[n][2 * row + 1];
    }
    for (int n = 0; n < Dv / 8; ++n) store_pair(dkv + in.Dn + n * 8 + lane % 4 * 2, dv[n] + 2 * row);
  }
}

template <int Dk, int Dv>
__global__ void __launch_bounds__(mma_threads) backward_queries(MmaInputs in, MmaGradients g) {
  extern __shared__ __align__(128) std::byte shared[];
  const Memory<Dk, Dv> m(shared);
  const int h = blockIdx.y, lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size;
  const RowTile tile = find_row_tile(in.q_starts, in.B, last_first(), mma_rows);
  if (tile.group < 0) return;
  const SequenceBounds s(in, tile.group);
  const int64_t first_row = tile.row + warp * 16 + lane / 4;  // the lane's other query is 8 further
  const int64_t tiles = (s.seen(tile.end - 1) - s.keys + at_once - 1) / at_once;
  const float scale = in.scale * log2_e;
  float lse[2], delta[2];
  for (int row = 0; row < 2; ++row) {
    const int64_t n = first_row + row * 8;
    lse[row] = n < tile.end ? g.lse[n * in.H + h] * log2_e : 0;
    delta[row] = n < tile.end ? g.delta[n * in.H + h] : 0;
  }
  const auto fetch = [&](int64_t j) {
    const int64_t key = s.keys + j * at_once;
    if (j < tiles) {
      copy_keys<at_once>(m.others[j % 2], in, key, s.keys_end - key, h);
      copy_values<at_once>(m.others_v[j % 2], in, key, s.keys_end - key, h);
    }
    __pipeline_commit();
  };
  copy_queries<mma_rows>(m.mine, in, tile.row, tile.end - tile.row, h);
  copy_douts<mma_rows>(m.mine_v, in, g, tile.row, tile.end - tile.row, h);
  fetch(0);

  float dq[Dk / 8][4] = {};
  for (int64_t j = 0; j < tiles; ++j) {
    fetch(j + 1);
    __pipeline_wait_prior(1);
    __syncthreads();
    float p[at_once / 8][4] = {}, ds[at_once / 8][4] = {};
    times_rows<at_once>(p, m.mine, warp * 16, m.others[j % 2], lane);
    times_rows<at_once>(ds, m.mine_v, warp * 16, m.others_v[j % 2], lane);
    const int64_t key = s.keys + j * at_once;
    const bool whole = key + at_once <= s.seen(tile.row + warp * 16) && tile.row + warp * 16 + 15 < tile.end;
    const int seen = static_cast<int>(s.seen(first_row) - key),
              queries_left = static_cast<int>(tile.end - first_row);
    for (int n = 0; n < at_once / 8; ++n)
      for (int i = 0; i < 4; ++i) {
        const int column = n * 8 + lane % 4 * 2 + i % 2, row = i / 2 * 8;
        const bool visible = whole || (row < queries_left && column < seen + row);
        const float weight = visible ? power_of_2(p[n][i] * scale - lse[i / 2]) : 0;
        ds[n][i] = weight * (ds[n][i] - delta[i / 2]) * in.scale;
      }
    times_columns<at_once>(dq, ds, m.others[j % 2], lane);
    __syncthreads();
  }
  for (int row = 0; row < 2; ++row) {
    const int64_t n = first_row + row * 8;
    if (n >= tile.end) continue;
    Bf16* to = g.dq + (n * in.H + h) * g.dq_stride + lane % 4 * 2;
    for (int c = 0; c < Dk / 8; ++c) store_pair(to + c * 8, dq[c] + 2 * row);
  }
}

// Rows that are read 16 bytes and written 4 bytes at a time.
bool gradients_fit(const AttentionBackward& a) {
  const auto fits = [](const Tensor& t, uintptr_t bytes) {
    return reinterpret_cast<uintptr_t>(t.data) % bytes == 0 && t.row_stride * sizeof(Bf16) % bytes == 0;
  };
  return fits(a.dout, 16) && fits(a.dq, 4) && fits(a.dkv, 4);
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
