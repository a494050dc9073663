// Q K^T of a tile is in flight while the P V of the previous tile is issued: the wgmmas of a warpgroup
// overlap its own softmax and the other warpgroup's (FlashAttention-3's intra- and inter-warpgroup overlap).
#include "ops/cuda/attention/attention_wgmma.cuh"

namespace fathom::cuda {
namespace {

using Storage = SharedStorage<64, 4>;
constexpr int tile_rows = Storage::tile_rows;

template <bool causal>
__device__ void forward_tile(Storage& m, const AttentionTensorMaps& maps, const MmaInputs& in,
                             const AttentionOutput<Bf16>& o) {
  const int h = blockIdx.y, lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size;
  const RowTile tile = find_row_tile(in.q_starts, in.B, longest_tile_first(), block_rows);
  if (tile.group < 0) return;
  const SequenceBounds s(in, tile.group);
  if (!causal && s.keys == s.keys_end) return store_nothing(o, tile, h, in.H, head_dim_v);
  const int64_t tiles = (s.visible_end<causal>(tile.end - 1) - s.keys + tile_rows - 1) / tile_rows;
  PipelineState<Storage::stages> state;

  const auto produce = [&] {
    if (lane > 0) return;
    m.block.arrive_expect_tx(block_rows * k_row_bytes);
    load_queries<block_rows>(m.block, m.block_k, maps, tile.row, h);
    load_key_tiles(m, state, maps, in.Dn, s.keys, tiles, h);
  };

  const auto consume = [&] {
    const int64_t first_row = tile.row + warp * 16 + lane / 4;  // and the row 8 further
    const float scale = in.scale * log2_e;
    SoftmaxRows softmax;
    RegisterOperand<tile_rows> p;
    float out[head_dim_v / 8][4] = {}, scores[tile_rows / 8][4];
    const auto issue_scores = [&](int64_t j) {
      const int64_t valid = s.keys_end - s.keys - j * tile_rows;
      m.barriers.full[state.stage].wait(state.parity);
      if (valid < tile_rows) m.zero_tail(state.stage, valid);
      warpgroup_arrive();
      wgmma_scores<head_dim_k>(scores, m.block_k, m.tile_k[state.stage]);
      warpgroup_commit();
    };
    const auto softmax_tile = [&](int64_t j) {
      const int64_t key = s.keys + j * tile_rows;
      if (key + tile_rows >
          s.visible_end<causal>(tile.row + warp * 16))  // else the warp's queries see the whole tile
        apply_mask<causal>(scores, static_cast<int>(s.visible_end<causal>(first_row) - key), lane);
      return softmax.update(scores, scale);
    };

    m.block.wait(0);
    issue_scores(0);
    warpgroup_wait<0>();
    warpgroup_fence_operand(scores);
    softmax_tile(0);
    p.set(scores);
    int previous = state.stage;
    for (int64_t j = 1; j < tiles; ++j) {
      state.advance();
      issue_scores(j);
      wgmma_ab(out, p, m.tile_v[previous]);
      warpgroup_commit();
      warpgroup_wait<1>();
      warpgroup_fence_operand(scores);
      const float2 factor = softmax_tile(j);
      warpgroup_wait<0>();
      warpgroup_fence_operand(out);
      m.barriers.consumer_release(previous);
      rescale_rows(out, factor);
      p.set(scores);
      previous = state.stage;
    }
    warpgroup_arrive();
    wgmma_ab(out, p, m.tile_v[previous]);
    warpgroup_commit();
    warpgroup_wait<0>();
    warpgroup_fence_operand(out);
    store_outputs(o, out, softmax, first_row, tile.end, h, in.H, lane);
  };

  specialize_attention(m, produce, consume);
}

template <bool causal>
__global__ void __launch_bounds__(specialized_threads, 1)
    forward(const __grid_constant__ AttentionTensorMaps maps, MmaInputs in, AttentionOutput<Bf16> o) {
  extern __shared__ __align__(128) std::byte shared[];
  if (compiled_for_sm90a) forward_tile<causal>(shared_storage_at<Storage>(shared), maps, in, o);
}

}  // namespace

bool attention_forward_wgmma(const Device& device, const AttentionForward& a) {
  if (!wgmma_supports(device, a) || a.kv.shape[0] == 0) return false;  // a tensor map has at least one row
  const MmaInputs in = attention_inputs<bf16>(a);
  const AttentionTensorMaps maps = {
      .q = tensor_map_of_heads(a.q), .kv = tensor_map_of_heads(a.kv), .k_rope = tensor_map_of_rows(a.k_rope)};
  const dim3 grid(static_cast<unsigned>(max_row_tiles(a.q.shape[0], in.B, block_rows)),
                  static_cast<unsigned>(in.H));
  with_mask(a.causal, [&](auto causal) {
    launch(device, grid, specialized_threads, shared_bytes_of<Storage>, forward<causal>, maps, in,
           AttentionOutput<Bf16>{data<bf16>(a.out), a.out.row_stride, data<float>(a.lse)});
  });
  return true;
}

}  // namespace fathom::cuda
