// The scores of a tile are on their way while those of the tile before are weighed with: the products of a
// warpgroup overlap its own softmax and the other warpgroup's (as in FlashAttention-3, Shah et al. 2024).
#include "ops/cuda/attention/attention_wgmma.cuh"

namespace fathom::cuda {
namespace {

using Memory = TileMemory<64, 4>;
constexpr int tile_rows = Memory::tile_rows;

__device__ void outputs_of_queries(Memory& m, const AttentionMaps& maps, const MmaInputs& in,
                                   const AttentionOutput<Bf16>& o) {
  const int h = blockIdx.y, lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size;
  const RowTile tile = find_row_tile(in.q_starts, in.B, last_first(), block_rows);
  if (tile.group < 0) return;
  const SequenceBounds s(in, tile.group);
  const int64_t tiles = (s.seen(tile.end - 1) - s.keys + tile_rows - 1) / tile_rows;
  Turn<Memory::stages> turn;

  const auto copy = [&] {
    if (lane > 0) return;
    m.block.arrive_and_expect(block_rows * row_bytes_k);
    copy_queries<block_rows>(m.block, m.block_k, maps, tile.row, h);
    copy_key_tiles(m, turn, maps, in.Dn, s.keys, tiles, h);
  };

  const auto multiply = [&] {
    const int64_t first_row = tile.row + warp * 16 + lane / 4;  // the lane's other row is 8 further
    const float scale = in.scale * log2_e;
    Softmax softmax;
    LeftRows<tile_rows> weights;
    float out[wide_v / 8][4] = {}, scores[tile_rows / 8][4];
    const auto begin_tile = [&](int64_t j) {
      const int64_t valid = s.keys_end - s.keys - j * tile_rows;
      m.gates.full[turn.stage].wait(turn.parity);
      if (valid < tile_rows) m.clear_rows(turn.stage, valid);
      products_begin();
      score<wide_k>(scores, m.block_k, m.tile_k[turn.stage]);
      products_commit();
    };
    const auto weigh = [&](int64_t j) {
      const int64_t key = s.keys + j * tile_rows;
      if (key + tile_rows > s.seen(tile.row + warp * 16))  // else all of the warp's queries see all of them
        hide_unseen(scores, static_cast<int>(s.seen(first_row) - key), lane);
      return softmax.take(scores, scale);
    };

    m.block.wait(0);
    begin_tile(0);
    products_wait<0>();
    products_written(scores);
    weigh(0);
    weights.take(scores);
    int before = turn.stage;
    for (int64_t j = 1; j < tiles; ++j) {
      turn.next();
      begin_tile(j);
      add_product(out, weights, m.tile_v[before]);
      products_commit();
      products_wait<1>();
      products_written(scores);
      const float2 shrink = weigh(j);
      products_wait<0>();
      products_written(out);
      m.gates.release(before);
      shrink_rows(out, shrink);
      weights.take(scores);
      before = turn.stage;
    }
    products_begin();
    add_product(out, weights, m.tile_v[before]);
    products_commit();
    products_wait<0>();
    products_written(out);
    store_outputs(o, out, softmax, first_row, tile.end, h, in.H, lane);
  };

  attend(m, copy, multiply);
}

__global__ void __launch_bounds__(copying_block, 1)
    forward(const __grid_constant__ AttentionMaps maps, MmaInputs in, AttentionOutput<Bf16> o) {
  extern __shared__ __align__(128) std::byte shared[];
  if constexpr (wgmma_here) outputs_of_queries(memory_at<Memory>(shared), maps, in, o);
}

}  // namespace

bool attention_forward_wgmma(const Device& device, const AttentionForward& a) {
  if (!suits_wgmma(device, a)) return false;
  const MmaInputs in = attention_inputs<bf16>(a);
  const AttentionMaps maps = {.q = map_heads(a.q), .kv = map_heads(a.kv), .k_rope = map_rows_of(a.k_rope)};
  const dim3 grid(static_cast<unsigned>(most_row_tiles(a.q.shape[0], in.B, block_rows)),
                  static_cast<unsigned>(in.H));
  launch(device, grid, copying_block, memory_bytes<Memory>, forward, maps, in,
         AttentionOutput<Bf16>{data<bf16>(a.out), a.out.row_stride, data<float>(a.lse)});
  return true;
}

}  // namespace fathom::cuda
