// A block attends for 64 queries of one head, a warp for 16, over tiles of 64 keys; the next tile is on its
// way while one is worked on.
#include "ops/cuda/attention_forward.cuh"
#include "ops/cuda/attention_mma.cuh"

namespace fathom::cuda {
namespace {

constexpr int keys_at_once = 64;

template <int Dk, int Dv>
struct Memory {
  Tile<Dk> queries, keys[2];
  Tile<Dv> values[2];

  __device__ explicit Memory(Bf16* p) {
    queries.data = p, p += mma_rows * Tile<Dk>::ld;
    for (Tile<Dk>& t : keys) t.data = p, p += keys_at_once * Tile<Dk>::ld;
    for (Tile<Dv>& t : values) t.data = p, p += keys_at_once * Tile<Dv>::ld;
  }
  static constexpr size_t bytes =
      ((mma_rows + 2 * keys_at_once) * Tile<Dk>::ld + 2 * keys_at_once * Tile<Dv>::ld) * sizeof(Bf16);
};

// A lane's two rows of the running softmax: in powers of two.
struct Softmax {
  float max[2] = {-INFINITY, -INFINITY}, sum[2] = {};

  // Scores become 2^(score - max); what was added up before shrinks.
  template <int tiles, int columns>
  __device__ void take(float (&scores)[tiles][4], float (&out)[columns][4]) {
    for (int row = 0; row < 2; ++row) {
      float largest = max[row];
      for (int n = 0; n < tiles; ++n)
        largest = fmaxf(largest, fmaxf(scores[n][2 * row], scores[n][2 * row + 1]));
      for (int offset = 1; offset < 4; offset *= 2)
        largest = fmaxf(largest, __shfl_xor_sync(~0u, largest, offset));
      const float base = largest == -INFINITY ? 0 : largest, shrink = power_of_2(max[row] - base);
      sum[row] *= shrink;
      for (int n = 0; n < tiles; ++n)
        for (int i = 2 * row; i < 2 * row + 2; ++i)
          sum[row] += scores[n][i] = power_of_2(scores[n][i] - base);
      for (int n = 0; n < columns; ++n) out[n][2 * row] *= shrink, out[n][2 * row + 1] *= shrink;
      max[row] = largest;
    }
  }
  // The whole sum of a row: lanes hold parts of it.
  __device__ float total(int row) const {
    float x = sum[row];
    for (int offset = 1; offset < 4; offset *= 2) x += __shfl_xor_sync(~0u, x, offset);
    return x;
  }
};

// The lane's first row sees `seen` keys of the tile, its other one eight more.
template <int tiles>
__device__ void hide_unseen(float (&scores)[tiles][4], int seen, int lane) {
  for (int n = 0; n < tiles; ++n)
    for (int i = 0; i < 4; ++i)
      if (n * 8 + lane % 4 * 2 + i % 2 >= seen + i / 2 * 8) scores[n][i] = -INFINITY;
}

template <int Dk, int Dv>
__global__ void __launch_bounds__(mma_threads) forward(MmaInputs in, AttentionOutput<Bf16> o) {
  extern __shared__ __align__(128) std::byte shared[];
  const Memory<Dk, Dv> m(reinterpret_cast<Bf16*>(shared));
  const int h = blockIdx.y, lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size;
  const RowTile tile = find_row_tile(in.q_starts, in.B, last_first(), mma_rows);
  if (tile.group < 0) return;
  const SequenceBounds s(in, tile.group);
  const int64_t first_row = tile.row + warp * 16 + lane / 4;  // the lane's other row is 8 further
  const int64_t tiles = (s.seen(tile.end - 1) - s.keys + keys_at_once - 1) / keys_at_once;
  const float scale = in.scale * log2_e;
  const auto fetch = [&](int64_t j) {
    const int64_t key = s.keys + j * keys_at_once;
    if (j < tiles) {
      copy_keys<keys_at_once>(m.keys[j % 2], in, key, s.keys_end - key, h);
      copy_values<keys_at_once>(m.values[j % 2], in, key, s.keys_end - key, h);
    }
    __pipeline_commit();
  };
  copy_queries<mma_rows>(m.queries, in, tile.row, tile.end - tile.row, h);
  fetch(0);

  Softmax softmax;
  float out[Dv / 8][4] = {};
  for (int64_t j = 0; j < tiles; ++j) {
    fetch(j + 1);
    __pipeline_wait_prior(1);
    __syncthreads();
    float scores[keys_at_once / 8][4] = {};
    times_rows<keys_at_once>(scores, m.queries, warp * 16, m.keys[j % 2], lane);
    const int64_t key = s.keys + j * keys_at_once;
    for (float(&quad)[4] : scores)
      for (float& x : quad) x *= scale;
    if (key + keys_at_once > s.seen(tile.row + warp * 16))  // else all of the warp's queries see all of them
      hide_unseen(scores, static_cast<int>(s.seen(first_row) - key), lane);
    softmax.take(scores, out);
    times_columns<keys_at_once>(out, scores, m.values[j % 2], lane);
    __syncthreads();
  }
  for (int row = 0; row < 2; ++row) {
    const int64_t n = first_row + row * 8;
    const float sum = softmax.total(row);
    if (n >= tile.end) continue;
    Bf16* to = o.out + (n * in.H + h) * o.out_stride + lane % 4 * 2;
    for (int c = 0; c < Dv / 8; ++c) {
      to[c * 8] = from_float<Bf16>(out[c][2 * row] / sum);
      to[c * 8 + 1] = from_float<Bf16>(out[c][2 * row + 1] / sum);
    }
    if (o.lse && lane % 4 == 0) o.lse[n * in.H + h] = (softmax.max[row] + log2f(sum)) * ln_2;
  }
}

}  // namespace

bool attention_forward_mma(const Device& device, const AttentionForward& a) {
  return with_head_size(a, [&]<int Dk, int Dv>(HeadSize<Dk, Dv>) {
    const MmaInputs in = attention_inputs<bf16>(a);
    const dim3 grid(static_cast<unsigned>(most_row_tiles(a.q.shape[0], in.B, mma_rows)),
                    static_cast<unsigned>(in.H));
    launch(device, grid, mma_threads, Memory<Dk, Dv>::bytes, forward<Dk, Dv>, in,
           AttentionOutput<Bf16>{data<bf16>(a.out), a.out.row_stride, data<float>(a.lse)});
  });
}

}  // namespace fathom::cuda
