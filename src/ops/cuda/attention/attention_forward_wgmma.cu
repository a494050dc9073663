// Q K^T of a tile is in flight while the P V of the previous tile is issued, and the two warpgroups take
// turns to issue, so that the tensor cores work on one warpgroup's products during the other's softmax
// (FlashAttention-3's intra- and inter-warpgroup overlap). Blocks are persistent: the producer loads the next
// queries and keys while the consumers store what they have.
#include "ops/cuda/attention/attention_work.cuh"

namespace fathom::cuda {
namespace {

constexpr int tile_rows = 128;  // of keys and values

template <class Head>
struct Storage {
  static constexpr int stages = Head::k > 128 ? 2 : 3;
  Bf16 queries[block_rows * Head::k];
  Bf16 keys[stages][tile_rows * Head::k];
  Bf16 values[stages][tile_rows * Head::v];
  OwnRows own;
  PipelineBarriers<stages> key_barriers, value_barriers;
};
template <class Head>
using TileState = PipelineState<Storage<Head>::stages>;

template <class Head, bool causal>
__device__ void produce_tiles(Storage<Head>& m, const AttentionTensorMaps& maps, const MmaInputs& in,
                              const AttentionWork& work) {
  TileState<Head> key_state, value_state;
  const auto load_next = [](auto& barriers, TileState<Head>& state, int row_bytes, const auto& load) {
    barriers.empty[state.stage].wait(state.parity ^ 1);
    barriers.full[state.stage].arrive_expect_tx(tile_rows * row_bytes);
    load(barriers.full[state.stage], state.stage);
    state.advance();
  };
  const auto load_next_keys = [&](int64_t key, int kv_head) {
    load_next(m.key_barriers, key_state, Head::k_bytes, [&](Barrier& full, int stage) {
      load_keys<Head, tile_rows>(full, m.keys[stage], maps, in.Dn, key, kv_head);
    });
  };
  const auto load_next_values = [&](int64_t key, int kv_head) {
    load_next(m.value_barriers, value_state, Head::v_bytes, [&](Barrier& full, int stage) {
      load_values<Head, tile_rows>(full, m.values[stage], maps, in.Dn, key, kv_head);
    });
  };
  m.own.template produce<true>(
      in.q_starts, in, work,
      [&](Barrier& full, const AttentionItem& it) {
        full.arrive_expect_tx(block_rows * Head::k_bytes);
        load_queries<Head, block_rows>(full, m.queries, maps, it.rows.row, it.h);
      },
      [&](const AttentionItem& it) {
        const VisibleKeys<tile_rows, causal> keys(in, it.rows);
        if (threadIdx.x % warp_size > 0) return;
        const int kv_head = in.kv_head(it.h);
        for (int j = 0; j < keys.tiles; ++j) {
          load_next_keys(keys.s.keys + j * tile_rows, kv_head);
          if (j > 0) load_next_values(keys.s.keys + (j - 1) * tile_rows, kv_head);
        }
        if (keys.tiles > 0) load_next_values(keys.s.keys + (keys.tiles - 1) * tile_rows, kv_head);
      });
}

template <class Head, bool causal>
__device__ void consume_tiles(Storage<Head>& m, const MmaInputs& in, const AttentionOutput<Bf16>& o,
                              const AttentionWork& work) {
  const int lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size, warpgroup = warpgroup_index();
  const float scale = in.scale * log2_e;
  TileState<Head> key_state, value_state;
  float out[Head::v / 8][4], scores[tile_rows / 8][4];
  RegisterOperand<tile_rows> p;

  if (warpgroup == 1) signal_other_warpgroup(0);  // warpgroup 0 issues first
  m.own.template consume<true>(in.q_starts, in, work, [&](const AttentionItem& it) {
    const VisibleKeys<tile_rows, causal> keys(in, it.rows);
    const SequenceBounds& s = keys.s;
    const int64_t first_row = it.rows.row + warp * 16 + lane / 4;  // and the row 8 further
    SoftmaxRows softmax;
    if (keys.tiles == 0) {
      m.own.release();
      return store_nothing(o, it.rows, it.h, in.H, Head::v);
    }
    // The products that `issue` issues, as this warpgroup's turn comes; the scores' are their first group.
    const auto issue_in_turn = [&](const auto& issue) {
      m.key_barriers.full[key_state.stage].wait(key_state.parity);
      wait_for_other_warpgroup(warpgroup);
      warpgroup_arrive();
      wgmma_scores<Head::k>(scores, m.queries, m.keys[key_state.stage]);
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
      if (j + 1 == keys.tiles) m.own.release();
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
    for (int j = 1; j < keys.tiles; ++j) {
      m.value_barriers.full[value_state.stage].wait(value_state.parity);
      issue_in_turn(issue_outputs);
      warpgroup_wait<1>();
      const float2 factor = scores_done(j);
      outputs_done();
      rescale_rows(out, factor);
      p.set(scores);
    }
    m.value_barriers.full[value_state.stage].wait(value_state.parity);
    if (const int64_t valid = s.keys_end - s.keys - (keys.tiles - 1) * tile_rows; valid < tile_rows) {
      // The rows after the end of the sequence belong to the next one.
      zero_rows<tile_rows>(m.values[value_state.stage], tile_rows * Head::v, valid);
      consumer_sync();
    }
    warpgroup_arrive();
    issue_outputs();
    outputs_done();
    store_outputs(o, out, softmax, first_row, it.rows.end, it.h, in.H, lane);
  });
}

template <class Head, bool causal>
__global__ void __launch_bounds__(specialized_threads, 1)
    forward(const __grid_constant__ AttentionTensorMaps maps, MmaInputs in, AttentionOutput<Bf16> o,
            AttentionWork work) {
  extern __shared__ __align__(128) std::byte shared[];
  if (compiled_for_sm90a) {
    auto& m = shared_storage_at<Storage<Head>>(shared);
    warp_specialize<232, 40>([&] { m.own.barriers.init(), m.key_barriers.init(), m.value_barriers.init(); },
                             [&] { produce_tiles<Head, causal>(m, maps, in, work); },
                             [&] { consume_tiles<Head, causal>(m, in, o, work); });
  }
}

}  // namespace

bool attention_forward_wgmma(const Device& device, const AttentionForward& a) {
  if (a.kv.shape[0] == 0) return false;  // a tensor map has at least one row
  return with_wgmma_head(device, a, [&]<class Head>(Head) {
    const MmaInputs in = attention_inputs<bf16>(a);
    const AttentionWork work(device, in, in.H, a.kv.shape[0]);
    with_mask(a.causal, [&](auto causal) {
      launch(device, work.grid(device, in, a.q.shape[0]), specialized_threads, shared_bytes_of<Storage<Head>>,
             forward<Head, causal>, tensor_maps_of(a), in,
             AttentionOutput<Bf16>{data<bf16>(a.out), a.out.row_stride, data<float>(a.lse)}, work);
    });
  });
}

}  // namespace fathom::cuda
