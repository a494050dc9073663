// The scores of a tile are on their way while those of the tile before are weighed with: the products of a
// warpgroup overlap its own softmax and the other warpgroup's (as in FlashAttention-3, Shah et al. 2024).
#include "ops/cuda/attention_wgmma.cuh"

namespace fathom::cuda {
namespace {

constexpr int stages = 4;  // one scored, one weighed, two on their way
using Memory = BlockMemory<stages, false>;

__device__ void attend(const Memory& m, const MmaInputs& in, const AttentionOutput<Bf16>& o) {
  const int h = blockIdx.y, lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size;
  const RowTile tile = find_row_tile(in.q_starts, in.B, last_first(), block_rows);
  if (tile.group < 0) return;
  const SequenceBounds s(in, tile.group);
  const int64_t first_row = tile.row + warp * 16 + lane / 4;  // the lane's other row is 8 further
  const int64_t tiles = (s.seen(tile.end - 1) - s.keys + tile_rows - 1) / tile_rows;
  const float scale = in.scale * log2_e;
  const auto fetch = [&](int64_t j) {
    const int64_t key = s.keys + j * tile_rows;
    if (j < tiles) {
      copy_keys<tile_rows>(m.tile_k(j), in, key, s.keys_end - key, h);
      copy_values<tile_rows>(m.tile_v(j), in, key, s.keys_end - key, h);
    }
    __pipeline_commit();
  };
  Softmax softmax;
  LeftRows weights;
  float out[wide_v / 8][4] = {}, scores[tile_rows / 8][4];
  const auto weigh = [&](int64_t j) {
    const int64_t key = s.keys + j * tile_rows;
    if (key + tile_rows > s.seen(tile.row + warp * 16))  // else all of the warp's queries see all of them
      hide_unseen(scores, static_cast<int>(s.seen(first_row) - key), lane);
    return softmax.take(scores, scale);
  };

  const auto begin_tile = [&](int64_t j) {
    __pipeline_wait_prior(1);
    publish_boxes();
    __syncthreads();
    products_begin();
    score<wide_k>(scores, m.block_k(), m.tile_k(j));
    products_commit();
  };

  copy_queries<block_rows>(m.block_k(), in, tile.row, tile.end - tile.row, h);
  fetch(0);
  fetch(1);
  begin_tile(0);
  fetch(2);
  products_wait<0>();
  products_written(scores);
  weigh(0);
  weights.take(scores);
  for (int64_t j = 1; j < tiles; ++j) {
    begin_tile(j);
    add_product(out, weights, m.tile_v(j - 1));
    products_commit();
    fetch(j + 2);  // where tile j - 2 was: all are past it
    products_wait<1>();
    products_written(scores);
    const float2 shrink = weigh(j);
    products_wait<0>();
    products_written(out);
    shrink_rows(out, shrink);
    weights.take(scores);
  }
  products_begin();
  add_product(out, weights, m.tile_v(tiles - 1));
  products_commit();
  products_wait<0>();
  products_written(out);
  store_outputs(o, out, softmax, first_row, tile.end, h, in.H, lane);
}

__global__ void __launch_bounds__(wgmma_threads) forward(MmaInputs in, AttentionOutput<Bf16> o) {
  extern __shared__ __align__(128) std::byte shared[];
  if constexpr (wgmma_here) attend(Memory(shared), in, o);
}

}  // namespace

bool attention_forward_wgmma(const Device& device, const AttentionForward& a) {
  if (!suits_wgmma(device, a)) return false;
  const MmaInputs in = attention_inputs<bf16>(a);
  const dim3 grid(static_cast<unsigned>(most_row_tiles(a.q.shape[0], in.B, block_rows)),
                  static_cast<unsigned>(in.H));
  launch(device, grid, wgmma_threads, Memory::bytes, forward, in,
         AttentionOutput<Bf16>{data<bf16>(a.out), a.out.row_stride, data<float>(a.lse)});
  return true;
}

}  // namespace fathom::cuda
