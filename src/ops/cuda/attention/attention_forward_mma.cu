// A block attends for 64 queries of one head, a warp for 16, over tiles of 64 keys; the next tile is on its
// way while one is worked on.
#include "ops/cuda/attention/attention_mma.cuh"

namespace fathom::cuda {
namespace {

constexpr int keys_at_once = 64;

// Two tiles of keys and values in turn.
template <int Dk, int Dv>
struct Memory {
  Bf16* shared;
  static constexpr int queries_size = mma_rows * Tile<Dk>::ld, keys_size = keys_at_once * Tile<Dk>::ld,
                       values_size = keys_at_once * Tile<Dv>::ld;
  static constexpr size_t bytes = (queries_size + 2 * (keys_size + values_size)) * sizeof(Bf16);

  __device__ Tile<Dk> queries() const { return {shared}; }
  __device__ Tile<Dk> keys(int64_t j) const { return {shared + queries_size + j % 2 * keys_size}; }
  __device__ Tile<Dv> values(int64_t j) const {
    return {shared + queries_size + 2 * keys_size + j % 2 * values_size};
  }
};

template <int Dk, int Dv>
__global__ void __launch_bounds__(mma_threads) forward(MmaInputs in, AttentionOutput<Bf16> o) {
  extern __shared__ __align__(128) std::byte shared[];
  const Memory<Dk, Dv> m{reinterpret_cast<Bf16*>(shared)};
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
      copy_keys<keys_at_once>(m.keys(j), in, key, s.keys_end - key, h);
      copy_values<keys_at_once>(m.values(j), in, key, s.keys_end - key, h);
    }
    __pipeline_commit();
  };
  copy_queries<mma_rows>(m.queries(), in, tile.row, tile.end - tile.row, h);
  fetch(0);

  Softmax softmax;
  float out[Dv / 8][4] = {};
  for (int64_t j = 0; j < tiles; ++j) {
    fetch(j + 1);
    __pipeline_wait_prior(1);
    __syncthreads();
    float scores[keys_at_once / 8][4] = {};
    times_rows<keys_at_once>(scores, m.queries(), warp * 16, m.keys(j), lane);
    const int64_t key = s.keys + j * keys_at_once;
    if (key + keys_at_once > s.seen(tile.row + warp * 16))  // else all of the warp's queries see all of them
      hide_unseen(scores, static_cast<int>(s.seen(first_row) - key), lane);
    shrink_rows(out, softmax.take(scores, scale));
    times_columns<keys_at_once>(out, scores, m.values(j), lane);
    __syncthreads();
  }
  store_outputs(o, out, softmax, first_row, tile.end, h, in.H, lane);
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
