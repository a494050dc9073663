// A block takes 64 queries of one head, a warp 16, over tiles of 64 keys; cp.async loads the next tile while
// the current one is used.
#include "ops/cuda/attention/attention_mma.cuh"

namespace fathom::cuda {
namespace {

constexpr int key_tile_rows = 64;

// The queries, and two stages of keys and values.
template <int Dk, int Dv>
struct Storage {
  Bf16* shared;
  static constexpr int queries_size = mma_rows * SmemTile<Dk>::ld,
                       keys_size = key_tile_rows * SmemTile<Dk>::ld,
                       values_size = key_tile_rows * SmemTile<Dv>::ld;
  static constexpr size_t bytes = (queries_size + 2 * (keys_size + values_size)) * sizeof(Bf16);

  __device__ SmemTile<Dk> queries() const { return {shared}; }
  __device__ SmemTile<Dk> keys(int64_t j) const { return {shared + queries_size + j % 2 * keys_size}; }
  __device__ SmemTile<Dv> values(int64_t j) const {
    return {shared + queries_size + 2 * keys_size + j % 2 * values_size};
  }
};

template <int Dk, int Dv, bool causal>
__global__ void __launch_bounds__(mma_threads) forward(MmaInputs in, AttentionOutput<Bf16> o) {
  extern __shared__ __align__(128) std::byte shared[];
  const Storage<Dk, Dv> m{reinterpret_cast<Bf16*>(shared)};
  const int h = blockIdx.y, kv_head = in.kv_head(h), lane = threadIdx.x % warp_size,
            warp = threadIdx.x / warp_size;
  const RowTile tile = find_row_tile(in.q_starts, in.B, longest_tile_first(), mma_rows);
  if (tile.group < 0) return;
  const SequenceBounds s(in, tile.group);
  if (!causal && s.keys == s.keys_end) return store_nothing(o, tile, h, in.H, Dv);
  const int64_t first_row = tile.row + warp * 16 + lane / 4;  // and the row 8 further
  const int64_t tiles = (s.visible_end<causal>(tile.end - 1) - s.keys + key_tile_rows - 1) / key_tile_rows;
  const float scale = in.scale * log2_e;
  const auto load_tile = [&](int64_t j) {
    const int64_t key = s.keys + j * key_tile_rows;
    if (j < tiles) {
      load_keys<key_tile_rows>(m.keys(j), in, key, s.keys_end - key, kv_head);
      load_values<key_tile_rows>(m.values(j), in, key, s.keys_end - key, kv_head);
    }
    __pipeline_commit();
  };
  load_queries<mma_rows>(m.queries(), in, tile.row, tile.end - tile.row, h);
  load_tile(0);

  SoftmaxRows softmax;
  float out[Dv / 8][4] = {};
  for (int64_t j = 0; j < tiles; ++j) {
    load_tile(j + 1);
    __pipeline_wait_prior(1);
    __syncthreads();
    float scores[key_tile_rows / 8][4] = {};
    mma_abt<key_tile_rows>(scores, m.queries(), warp * 16, m.keys(j), lane);
    const int64_t key = s.keys + j * key_tile_rows;
    if (key + key_tile_rows >
        s.visible_end<causal>(tile.row + warp * 16))  // else the warp's queries see the whole tile
      apply_mask<causal>(scores, static_cast<int>(s.visible_end<causal>(first_row) - key), lane);
    rescale_rows(out, softmax.update(scores, scale));
    mma_ab<key_tile_rows>(out, scores, m.values(j), lane);
    __syncthreads();
  }
  store_outputs(o, out, softmax, first_row, tile.end, h, in.H, lane);
}

}  // namespace

bool attention_forward_mma(const Device& device, const AttentionForward& a) {
  return with_head_dim(a, [&]<int Dk, int Dv>(HeadDim<Dk, Dv>) {
    const MmaInputs in = attention_inputs<bf16>(a);
    const dim3 grid(static_cast<unsigned>(max_row_tiles(a.q.shape[0], in.B, mma_rows)),
                    static_cast<unsigned>(in.H));
    with_mask(a.causal, [&](auto causal) {
      launch(device, grid, mma_threads, Storage<Dk, Dv>::bytes, forward<Dk, Dv, causal>, in,
             AttentionOutput<Bf16>{data<bf16>(a.out), a.out.row_stride, data<float>(a.lse)});
    });
  });
}

}  // namespace fathom::cuda
