// Q K^T of a tile is in flight while the P V of the previous tile is issued, and the two warpgroups take
// turns to issue, so that the tensor cores work on one warpgroup's products during the other's softmax
// (FlashAttention-3's intra- and inter-warpgroup overlap). Blocks are persistent: the producer loads the next
// queries and keys while the consumers store what they have.
#include "ops/cuda/attention/attention_wgmma.cuh"
#include "ops/cuda/hopper/work_queue.cuh"

namespace fathom::cuda {
namespace {

constexpr int tile_rows = 128;  // of keys and values

struct Storage {
  static constexpr int stages = 2;
  Bf16 queries[block_rows * head_dim_k];
  Bf16 keys[stages][tile_rows * head_dim_k];
  Bf16 values[stages][tile_rows * head_dim_v];
  int item;  // whose queries these are; negative: there are no more
  PipelineBarriers<1> query_barriers;
  PipelineBarriers<stages> key_barriers, value_barriers;
};
using TileState = PipelineState<Storage::stages>;

// Items are the tiles of queries of every head: those of `heads_at_once` heads, whose keys and values fit in
// L2 together, then the next heads'; with the causal mask the last tiles have the most keys and come first.
struct ForwardWork {
  WorkQueue queue;
  int heads_at_once;
};

// The queries of an item, and the keys that they see.
struct ForwardItem {
  RowTile rows;
  int h, tiles;
  SequenceBounds sequence;

  template <bool causal>
  __device__ static ForwardItem find(const MmaInputs& in, const ForwardWork& work, int row_tiles, int item) {
    const int per_group = row_tiles * work.heads_at_once;
    const int first_head = item / per_group * work.heads_at_once, in_group = item % per_group;
    const int heads = min(work.heads_at_once, in.H - first_head);
    const RowTile rows = find_row_tile(in.q_starts, in.B, row_tiles - 1 - in_group / heads, block_rows);
    const SequenceBounds s(in, rows.group);
    const int keys = static_cast<int>(s.visible_end<causal>(rows.end - 1) - s.keys);
    return {rows, first_head + in_group % heads, (keys + tile_rows - 1) / tile_rows, s};
  }
};

template <bool causal>
__device__ void produce_tiles(Storage& m, const AttentionTensorMaps& maps, const MmaInputs& in,
                              const ForwardWork& work) {
  const bool loads = threadIdx.x % warp_size == 0;
  const int row_tiles = count_row_tiles(in.q_starts, in.B, block_rows), items = row_tiles * in.H;
  PipelineState<1> query_state;
  TileState key_state, value_state;
  const auto load_next_keys = [&](int64_t key, int h) {
    Barrier& full = m.key_barriers.full[key_state.stage];
    m.key_barriers.empty[key_state.stage].wait(key_state.parity ^ 1);
    full.arrive_expect_tx(tile_rows * k_row_bytes);
    load_keys<tile_rows>(full, m.keys[key_state.stage], maps, in.Dn, key, h);
    key_state.advance();
  };
  const auto load_next_values = [&](int64_t key, int h) {
    Barrier& full = m.value_barriers.full[value_state.stage];
    m.value_barriers.empty[value_state.stage].wait(value_state.parity ^ 1);
    full.arrive_expect_tx(tile_rows * v_row_bytes);
    load_values<tile_rows>(full, m.values[value_state.stage], maps, in.Dn, key, h);
    value_state.advance();
  };
  int item = work.queue.first();
  while (item < items) {
    const ForwardItem it = ForwardItem::find<causal>(in, work, row_tiles, item);
    if (loads) {
      Barrier& full = m.query_barriers.full[0];
      m.query_barriers.empty[0].wait(query_state.parity ^ 1);
      m.item = item;
      full.arrive_expect_tx(block_rows * k_row_bytes);
      load_queries<block_rows>(full, m.queries, maps, it.rows.row, it.h);
      item = work.queue.next();
      for (int j = 0; j < it.tiles; ++j) {
        load_next_keys(it.sequence.keys + j * tile_rows, it.h);
        if (j > 0) load_next_values(it.sequence.keys + (j - 1) * tile_rows, it.h);
      }
      if (it.tiles > 0) load_next_values(it.sequence.keys + (it.tiles - 1) * tile_rows, it.h);
    }
    query_state.advance();
    item = __shfl_sync(~0u, item, 0);
  }
  if (!loads) return;
  work.queue.finish();
  m.query_barriers.empty[0].wait(query_state.parity ^ 1);
  m.item = -1;
  m.query_barriers.full[0].arrive();
}

template <bool causal>
__device__ void consume_tiles(Storage& m, const MmaInputs& in, const AttentionOutput<Bf16>& o,
                              const ForwardWork& work) {
  const int lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size, warpgroup = warpgroup_index();
  const int row_tiles = count_row_tiles(in.q_starts, in.B, block_rows);
  const float scale = in.scale * log2_e;
  PipelineState<1> query_state;
  TileState key_state, value_state;
  float out[head_dim_v / 8][4], scores[tile_rows / 8][4];
  RegisterOperand<tile_rows> p;

  if (warpgroup == 1) signal_other_warpgroup(0);  // warpgroup 0 issues first
  for (;; query_state.advance()) {
    m.query_barriers.full[0].wait(query_state.parity);
    const int item = m.item;
    if (item < 0) return;
    const ForwardItem it = ForwardItem::find<causal>(in, work, row_tiles, item);
    const SequenceBounds& s = it.sequence;
    const int64_t first_row = it.rows.row + warp * 16 + lane / 4;  // and the row 8 further
    SoftmaxRows softmax;
    if (it.tiles == 0) {
      m.query_barriers.consumer_release(0);
      store_nothing(o, it.rows, it.h, in.H, head_dim_v);
      continue;
    }
    // The products that `issue` issues, as this warpgroup's turn comes; the scores' are their first group.
    const auto issue_in_turn = [&](const auto& issue) {
      m.key_barriers.full[key_state.stage].wait(key_state.parity);
      wait_for_other_warpgroup(warpgroup);
      warpgroup_arrive();
      wgmma_scores<head_dim_k>(scores, m.queries, m.keys[key_state.stage]);
      warpgroup_commit();
      issue();
      signal_other_warpgroup(1 - warpgroup);
    };
    const auto issue_outputs = [&] {
      wgmma_ab(out, p, m.values[value_state.stage]);
      warpgroup_commit();
    };
    const auto scores_done = [&](int j) {
      warpgroup_fence_operand(scores);
      m.key_barriers.consumer_release(key_state.stage);
      key_state.advance();
      if (j + 1 == it.tiles) m.query_barriers.consumer_release(0);
      const int64_t key = s.keys + j * tile_rows;
      if (key + tile_rows >
          s.visible_end<causal>(it.rows.row + warp * 16))  // else the warp's queries see the whole tile
        apply_mask<causal>(scores, static_cast<int>(s.visible_end<causal>(first_row) - key), lane);
      return softmax.update(scores, scale);
    };
    const auto outputs_done = [&] {
      warpgroup_wait<0>();
      warpgroup_fence_operand(out);
      m.value_barriers.consumer_release(value_state.stage);
      value_state.advance();
    };

#pragma unroll
    for (auto& column : out)
      for (float& x : column) x = 0;
    issue_in_turn([] {});
    warpgroup_wait<0>();
    scores_done(0);
    p.set(scores);
    for (int j = 1; j < it.tiles; ++j) {
      m.value_barriers.full[value_state.stage].wait(value_state.parity);
      issue_in_turn(issue_outputs);
      warpgroup_wait<1>();
      const float2 factor = scores_done(j);
      outputs_done();
      rescale_rows(out, factor);
      p.set(scores);
    }
    m.value_barriers.full[value_state.stage].wait(value_state.parity);
    if (const int64_t valid = s.keys_end - s.keys - (it.tiles - 1) * tile_rows; valid < tile_rows) {
      // The rows after the end of the sequence belong to the next one.
      zero_rows<tile_rows>(m.values[value_state.stage], tile_rows * head_dim_v, valid);
      consumer_sync();
    }
    warpgroup_arrive();
    issue_outputs();
    outputs_done();
    store_outputs(o, out, softmax, first_row, it.rows.end, it.h, in.H, lane);
  }
}

template <bool causal>
__global__ void __launch_bounds__(specialized_threads, 1)
    forward(const __grid_constant__ AttentionTensorMaps maps, MmaInputs in, AttentionOutput<Bf16> o,
            ForwardWork work) {
  extern __shared__ __align__(128) std::byte shared[];
  if (compiled_for_sm90a) {
    Storage& m = shared_storage_at<Storage>(shared);
    warp_specialize<232, 40>([&] { m.query_barriers.init(), m.key_barriers.init(), m.value_barriers.init(); },
                             [&] { produce_tiles<causal>(m, maps, in, work); },
                             [&] { consume_tiles<causal>(m, in, o, work); });
  }
}

// Heads whose keys and values fit in L2 together.
int heads_in_l2(const Device& device, const MmaInputs& in, int64_t keys) {
  const int64_t bytes = std::max<int64_t>(1, keys / std::max(in.B, 1)) * (k_row_bytes + v_row_bytes);
  return static_cast<int>(
      std::clamp<int64_t>(device.cuda_context().properties().l2CacheSize / bytes, 1, in.H));
}

}  // namespace

bool attention_forward_wgmma(const Device& device, const AttentionForward& a) {
  if (!wgmma_supports(device, a) || a.kv.shape[0] == 0) return false;  // a tensor map has at least one row
  const MmaInputs in = attention_inputs<bf16>(a);
  const AttentionTensorMaps maps = {
      .q = tensor_map_of_heads(a.q), .kv = tensor_map_of_heads(a.kv), .k_rope = tensor_map_of_rows(a.k_rope)};
  const ForwardWork work = {{device.cuda_context().counters(WorkQueue::counters_needed)},
                            heads_in_l2(device, in, a.kv.shape[0])};
  const dim3 grid = persistent_grid(device, max_row_tiles(a.q.shape[0], in.B, block_rows) * in.H);
  with_mask(a.causal, [&](auto causal) {
    launch(device, grid, specialized_threads, shared_bytes_of<Storage>, forward<causal>, maps, in,
           AttentionOutput<Bf16>{data<bf16>(a.out), a.out.row_stride, data<float>(a.lse)}, work);
  });
  return true;
}

}  // namespace fathom::cuda
