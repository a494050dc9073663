// The two backward kernels with wgmma: a block accumulates dK and dV of 128 keys over the queries that see
// them, or dQ of 128 queries over the keys that they see.
#include "ops/cuda/attention/attention_wgmma.cuh"

namespace fathom::cuda {
namespace {

constexpr int tile_rows = 64;

template <bool all_threads_arrive>
struct BackwardStorage : SharedStorage<tile_rows, 3, all_threads_arrive> {
  alignas(swizzle_alignment) Bf16 block_v[block_rows * head_dim_v];
};
// lse, in base 2, and delta of the queries that a block of keys iterates over.
struct DkvStorage : BackwardStorage<true> {
  float lse[stages][tile_rows], delta[stages][tile_rows];
};
using DqStorage = BackwardStorage<false>;

__device__ void dkv_tile(DkvStorage& m, const AttentionTensorMaps& maps, const MmaInputs& in,
                         const MmaGradients& g) {
  const int h = blockIdx.y, lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size;
  const RowTile tile = find_row_tile(in.kv_starts, in.B, blockIdx.x, block_rows);
  if (tile.group < 0) return;
  const SequenceBounds s(in, tile.group);
  const int64_t skipped = tile.row - s.keys - s.causal_offset(),
                first = s.queries + (skipped > 0 ? skipped : 0);
  const int64_t tiles = (s.queries_end - first + tile_rows - 1) / tile_rows;
  PipelineState<DkvStorage::stages> state;

  const auto produce = [&] {
    if (lane == 0) {
      m.block.arrive_expect_tx(block_rows * (k_row_bytes + v_row_bytes));
      load_keys<block_rows>(m.block, m.block_k, maps, in.Dn, tile.row, h);
      load_values<block_rows>(m.block, m.block_v, maps, in.Dn, tile.row, h);
    }
    for (int64_t j = 0; j < tiles; ++j, state.advance()) {
      const int64_t query = first + j * tile_rows;
      Barrier& full = m.barriers.full[state.stage];
      m.barriers.empty[state.stage].wait(state.parity ^ 1);
      for (int i = lane; i < tile_rows; i += warp_size) {
        const bool valid = query + i < s.queries_end;
        const int64_t at = (query + i) * in.H + h;
        m.lse[state.stage][i] = valid ? g.lse[at] * log2_e : 0;
        m.delta[state.stage][i] = valid ? g.delta[at] : 0;
      }
      if (lane > 0) {
        full.arrive();
        continue;
      }
      full.arrive_expect_tx(tile_rows * (k_row_bytes + v_row_bytes));
      load_queries<tile_rows>(full, m.tile_k[state.stage], maps, query, h);
      load_douts<tile_rows>(full, m.tile_v[state.stage], maps, query, h);
    }
  };

  const auto consume = [&] {
    const float scale = in.scale * log2_e;
    // Queries from the first one on, and those of them that do not see this warp's first key.
    const int queries = static_cast<int>(s.queries_end - first), last_tile = static_cast<int>(tiles) - 1;
    const int unseeing = static_cast<int>(tile.row - s.visible_end(first)) + warp * 16 + 1;
    float dk[head_dim_k / 8][4] = {}, dv[head_dim_v / 8][4] = {};
    RegisterOperand<tile_rows> p, ds_operand;
    m.block.wait(0);
    warpgroup_fence_operand(dk), warpgroup_fence_operand(dv);  // zeros, before any wgmma is in flight
    int previous = 0;
    for (int j = 0; j <= last_tile; ++j, state.advance()) {
      const int stage = state.stage, valid = queries - j * tile_rows;
      m.barriers.full[stage].wait(state.parity);
      if (valid < tile_rows) m.zero_tail(stage, valid);
      float scores[tile_rows / 8][4];
      warpgroup_arrive();
      wgmma_scores<head_dim_k>(scores, m.block_k, m.tile_k[stage]);
      warpgroup_commit();
      warpgroup_wait<0>();  // also the previous tile's dK
      warpgroup_fence_operand(scores);
      if (j > 0) m.barriers.consumer_release(previous);
      previous = stage;
      if (const int seeing = unseeing + 15 - j * tile_rows;
          seeing > 0)  // else all queries see the warp's keys
        apply_mask_kq(scores, seeing - 15 + lane / 4, lane);
      probabilities_kq(scores, scale, m.lse[stage], lane);
      p.set(scores);
      float ds[tile_rows / 8][4];
      warpgroup_arrive();
      wgmma_scores<head_dim_v>(ds, m.block_v, m.tile_v[stage]);
      warpgroup_commit();
      wgmma_ab(dv, p, m.tile_v[stage]);
      warpgroup_commit();
      warpgroup_wait<0>();
      warpgroup_fence_operand(ds);
      score_gradients_kq(ds, p, in.scale, m.delta[stage], lane);
      ds_operand.set(ds);
      warpgroup_arrive();
      wgmma_ab(dk, ds_operand, m.tile_k[stage]);
      warpgroup_commit();
    }
    warpgroup_wait<0>();
    warpgroup_fence_operand(dk), warpgroup_fence_operand(dv);
    store_key_gradients(in, g, dk, dv, tile.row + warp * 16 + lane / 4, tile.end, h, lane);
  };

  specialize_attention(m, produce, consume);
}

__device__ void dq_tile(DqStorage& m, const AttentionTensorMaps& maps, const MmaInputs& in,
                        const MmaGradients& g) {
  const int h = blockIdx.y, lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size;
  const RowTile tile = find_row_tile(in.q_starts, in.B, longest_tile_first(), block_rows);
  if (tile.group < 0) return;
  const SequenceBounds s(in, tile.group);
  const int64_t tiles = (s.visible_end(tile.end - 1) - s.keys + tile_rows - 1) / tile_rows;
  PipelineState<DqStorage::stages> state;

  const auto produce = [&] {
    if (lane > 0) return;
    m.block.arrive_expect_tx(block_rows * (k_row_bytes + v_row_bytes));
    load_queries<block_rows>(m.block, m.block_k, maps, tile.row, h);
    load_douts<block_rows>(m.block, m.block_v, maps, tile.row, h);
    load_key_tiles(m, state, maps, in.Dn, s.keys, tiles, h);
  };

  const auto consume = [&] {
    const int64_t first_row = tile.row + warp * 16 + lane / 4;  // and the query 8 further
    const float scale = in.scale * log2_e;
    const QueryStatistics statistics(g, first_row, tile.end, h, in.H);
    float dq[head_dim_k / 8][4] = {};
    RegisterOperand<tile_rows> ds_operand;
    RowFragments<head_dim_v> douts;  // so that only K, V and Q are read from shared memory over and over
    m.block.wait(0);
    douts.load(m.block_v);
    int previous = 0;
    for (int64_t j = 0; j < tiles; ++j, state.advance()) {
      const int64_t key = s.keys + j * tile_rows, valid = s.keys_end - key;
      const Bf16 *keys = m.tile_k[state.stage], *values = m.tile_v[state.stage];
      m.barriers.full[state.stage].wait(state.parity);
      if (valid < tile_rows) m.zero_tail(state.stage, valid);
      float p[tile_rows / 8][4], ds[tile_rows / 8][4];
      warpgroup_arrive();
      wgmma_scores<head_dim_k>(p, m.block_k, keys);
      warpgroup_commit();
      wgmma_scores(ds, douts, values);
      warpgroup_commit();
      warpgroup_wait<1>();  // also the previous tile's dQ
      warpgroup_fence_operand(p);
      if (j > 0) m.barriers.consumer_release(previous);
      previous = state.stage;
      if (key + tile_rows >
          s.visible_end(tile.row + warp * 16))  // else the warp's queries see the whole tile
        apply_mask<true>(p, static_cast<int>(s.visible_end(first_row) - key), lane);
      probabilities_qk(p, scale, statistics);
      warpgroup_wait<0>();
      warpgroup_fence_operand(ds);
      score_gradients_qk(ds, p, in.scale, statistics);
      ds_operand.set(ds);
      warpgroup_arrive();
      wgmma_ab(dq, ds_operand, keys);
      warpgroup_commit();
    }
    warpgroup_wait<0>();
    warpgroup_fence_operand(dq);
    store_query_gradients(in, g, dq, first_row, tile.end, h, lane);
  };

  specialize_attention(m, produce, consume);
}

__global__ void __launch_bounds__(specialized_threads, 1)
    backward_dkv(const __grid_constant__ AttentionTensorMaps maps, MmaInputs in, MmaGradients g) {
  extern __shared__ __align__(128) std::byte shared[];
  if constexpr (compiled_for_sm90a) dkv_tile(shared_storage_at<DkvStorage>(shared), maps, in, g);
}

__global__ void __launch_bounds__(specialized_threads, 1)
    backward_dq(const __grid_constant__ AttentionTensorMaps maps, MmaInputs in, MmaGradients g) {
  extern __shared__ __align__(128) std::byte shared[];
  if constexpr (compiled_for_sm90a) dq_tile(shared_storage_at<DqStorage>(shared), maps, in, g);
}

}  // namespace

bool attention_backward_wgmma(const Device& device, const AttentionBackward& a, const MmaGradients& g) {
  if (!wgmma_supports(device, a) || !gradients_aligned(a)) return false;
  const MmaInputs in = attention_inputs<bf16>(a);
  const AttentionTensorMaps maps = {.q = tensor_map_of_heads(a.q),
                                    .kv = tensor_map_of_heads(a.kv),
                                    .k_rope = tensor_map_of_rows(a.k_rope),
                                    .dout = tensor_map_of_heads(a.dout)};
  const auto grid = [&](int64_t rows) {
    return dim3(static_cast<unsigned>(max_row_tiles(rows, in.B, block_rows)), static_cast<unsigned>(in.H));
  };
  launch(device, grid(g.M), specialized_threads, shared_bytes_of<DkvStorage>, backward_dkv, maps, in, g);
  launch(device, grid(a.q.shape[0]), specialized_threads, shared_bytes_of<DqStorage>, backward_dq, maps, in,
         g);
  return true;
}

}  // namespace fathom::cuda
