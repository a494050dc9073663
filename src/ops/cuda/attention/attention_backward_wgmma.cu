// The two backward kernels with wgmma: a block accumulates dK and dV of 128 keys over the queries that see
// them, of each head that reads them, or dQ of 128 queries over the keys that they see.
#include "ops/cuda/attention/attention_backward_wgmma.cuh"

namespace fathom::cuda {
namespace {

constexpr int tile_rows = backward_tile_rows;

// lse, in base 2, and delta of the queries that a block of keys iterates over.
template <class Head>
struct DkvStorage : BackwardStorage<Head, true> {
  using Base = BackwardStorage<Head, true>;
  float lse[Base::stages][tile_rows], delta[Base::stages][tile_rows];
};
template <class Head>
using DqStorage = BackwardStorage<Head, false>;

// The queries of a head from the first one on that sees any of an item's keys. Made by whole warps.
struct SeeingQueries {
  SequenceBounds s;
  int64_t first;
  int count, tiles;

  __device__ SeeingQueries(const MmaInputs& in, const RowTile& keys) : s(in, keys.group) {
    const int64_t skipped = keys.row - s.keys - s.causal_offset();
    first = s.queries + (skipped > 0 ? skipped : 0);
    count = uniform(static_cast<int>(s.queries_end - first));
    tiles = (count + tile_rows - 1) / tile_rows;
  }
};

// grouped: several heads of queries read the keys. Without, the loop over their tiles has nothing to spare
// registers for.
template <class Head, bool grouped>
__device__ void dkv_tiles(DkvStorage<Head>& m, const AttentionTensorMaps& maps, const MmaInputs& in,
                          const MmaGradients& g, const AttentionWork& work) {
  const int lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size;
  PipelineState<DkvStorage<Head>::stages> loading, state;

  const auto load_own = [&](Barrier& full, const AttentionItem& it) {
    full.arrive_expect_tx(block_rows * (Head::k_bytes + Head::v_bytes));
    load_keys<Head, block_rows>(full, m.block_k, maps, in.Dn, it.rows.row, it.h);
    load_values<Head, block_rows>(full, m.block_v, maps, in.Dn, it.rows.row, it.h);
  };
  const auto load_queries_of = [&](const AttentionItem& it) {
    const SeeingQueries seeing(in, it.rows);
    for (int h = it.h * in.group; h < (it.h + 1) * in.group; ++h)
      for (int j = 0; j < seeing.tiles; ++j, loading.advance()) {
        const int64_t query = seeing.first + j * tile_rows;
        Barrier& full = m.barriers.full[loading.stage];
        m.barriers.empty[loading.stage].wait(loading.parity ^ 1);
        for (int i = lane; i < tile_rows; i += warp_size) {
          const bool valid = j * tile_rows + i < seeing.count;
          const int64_t at = (query + i) * in.H + h;
          m.lse[loading.stage][i] = valid ? g.lse[at] * log2_e : 0;
          m.delta[loading.stage][i] = valid ? g.delta[at] : 0;
        }
        if (lane > 0) {
          full.arrive();
          continue;
        }
        full.arrive_expect_tx(tile_rows * (Head::k_bytes + Head::v_bytes));
        load_queries<Head, tile_rows>(full, m.tile_k[loading.stage], maps, query, h);
        load_douts<Head, tile_rows>(full, m.tile_v[loading.stage], maps, query, h);
      }
  };

  const auto consume_item = [&](const AttentionItem& it) {
    const float scale = in.scale * log2_e;
    const SeeingQueries seeing(in, it.rows);
    // Of a head's seeing queries, those that do not see this warp's first key, less the count of all.
    const int unseeing =
        static_cast<int>(it.rows.row - seeing.s.visible_end(seeing.first)) + warp * 16 + 1 - seeing.count;
    // With narrow keys there are registers to compute dP during P's exponentials, and dV during dS.
    constexpr bool overlapped = Head::k <= 128;
    float dk[Head::k / 8][4] = {}, dv[Head::v / 8][4] = {};
    RegisterOperand<tile_rows> p, ds_operand;
    warpgroup_fence_operand(dk), warpgroup_fence_operand(dv);  // zeros, before any wgmma is in flight
    int previous = -1;         // the stage that the wgmmas in flight still read
    int valid = seeing.count;  // from the tile's first row to the last query of its head
    for (int left = seeing.tiles * (grouped ? in.group : 1); left > 0; --left, state.advance()) {
      const int stage = uniform(state.stage);
      m.barriers.full[stage].wait(state.parity);
      if (valid < tile_rows) m.zero_tail(stage, valid);
      float scores[tile_rows / 8][4], ds[tile_rows / 8][4];
      warpgroup_arrive();
      wgmma_scores<Head::k>(scores, m.block_k, m.tile_k[stage]);
      warpgroup_commit();
      if (overlapped) {
        wgmma_scores<Head::v>(ds, m.block_v, m.tile_v[stage]);
        warpgroup_commit();
      }
      warpgroup_wait<overlapped>();  // also the previous tile's dK
      warpgroup_fence_operand(scores);
      if (previous >= 0) m.barriers.consumer_release(previous);
      previous = stage;
      if (const int first = unseeing + valid; first + 15 > 0)  // else all queries see the warp's keys
        apply_mask_kq(scores, first + lane / 4, lane);
      probabilities_kq(scores, scale, m.lse[stage], lane);
      p.set(scores);
      warpgroup_arrive();
      if (!overlapped) {
        wgmma_scores<Head::v>(ds, m.block_v, m.tile_v[stage]);
        warpgroup_commit();
      }
      wgmma_ab(dv, p, m.tile_v[stage]);
      warpgroup_commit();
      warpgroup_wait<overlapped>();
      warpgroup_fence_operand(ds);
      score_gradients_kq(ds, p, in.scale, m.delta[stage], lane);
      if (overlapped) warpgroup_wait<0>();
      ds_operand.set(ds);
      warpgroup_arrive();
      wgmma_ab(dk, ds_operand, m.tile_k[stage]);
      warpgroup_commit();
      valid -= tile_rows;
      if (grouped && valid <= 0) valid = seeing.count;
    }
    m.own.release();
    warpgroup_wait<0>();
    warpgroup_fence_operand(dk), warpgroup_fence_operand(dv);
    if (previous >= 0) m.barriers.consumer_release(previous);
    store_key_gradients(in, g, dk, dv, it.rows.row + warp * 16 + lane / 4, it.rows.end, it.h, lane);
  };

  specialize_attention(
      m, [&] { m.own.template produce<false>(in.kv_starts, in, work, load_own, load_queries_of); },
      [&] { m.own.template consume<false>(in.kv_starts, in, work, consume_item); });
}

template <class Head>
__device__ void dq_tiles(DqStorage<Head>& m, const AttentionTensorMaps& maps, const MmaInputs& in,
                         const MmaGradients& g, const AttentionWork& work) {
  const int lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size;
  PipelineState<DqStorage<Head>::stages> loading, state;
  const auto load_own = [&](Barrier& full, const AttentionItem& it) {
    full.arrive_expect_tx(block_rows * (Head::k_bytes + Head::v_bytes));
    load_queries<Head, block_rows>(full, m.block_k, maps, it.rows.row, it.h);
    load_douts<Head, block_rows>(full, m.block_v, maps, it.rows.row, it.h);
  };
  const auto load_keys_of = [&](const AttentionItem& it) {
    const VisibleKeys<tile_rows> keys(in, it.rows);
    if (lane == 0) load_key_tiles(m, loading, maps, in.Dn, keys.s.keys, keys.tiles, in.kv_head(it.h));
  };

  const auto consume_item = [&](const AttentionItem& it) {
    const auto [s, tiles] = VisibleKeys<tile_rows>(in, it.rows);
    const int keys = static_cast<int>(s.keys_end - s.keys);
    const int warp_row = static_cast<int>(it.rows.row) + warp * 16, first_row = warp_row + lane / 4;
    const float scale = in.scale * log2_e;
    // The first keys that the warp's first query sees.
    const int visible = static_cast<int>(s.visible_end(warp_row) - s.keys);
    const QueryStatistics statistics(g, first_row, it.rows.end, it.h, in.H);  // also of the query 8 further
    float dq[Head::k / 8][4] = {};
    RegisterOperand<tile_rows> ds_operand;
    RowFragments<Head::v> douts;  // so that only K, V and Q are read from shared memory over and over
    douts.load(m.block_v);
    warpgroup_fence_operand(dq);
    int previous = 0;
    for (int j = 0; j < tiles; ++j, state.advance()) {
      const int valid = keys - j * tile_rows;
      const Bf16 *tile_k = m.tile_k[state.stage], *tile_v = m.tile_v[state.stage];
      m.barriers.full[state.stage].wait(state.parity);
      if (valid < tile_rows) m.zero_tail(state.stage, valid);
      float p[tile_rows / 8][4], ds[tile_rows / 8][4];
      warpgroup_arrive();
      wgmma_scores<Head::k>(p, m.block_k, tile_k);
      warpgroup_commit();
      wgmma_scores(ds, douts, tile_v);
      warpgroup_commit();
      warpgroup_wait<1>();  // also the previous tile's dQ
      warpgroup_fence_operand(p);
      if (j > 0) m.barriers.consumer_release(previous);
      previous = state.stage;
      if ((j + 1) * tile_rows > visible)  // else the warp's queries see the whole tile
        apply_mask<true>(p, visible + lane / 4 - j * tile_rows, lane);
      probabilities_qk(p, scale, statistics);
      warpgroup_wait<0>();
      warpgroup_fence_operand(ds);
      score_gradients_qk(ds, p, in.scale, statistics);
      ds_operand.set(ds);
      warpgroup_arrive();
      wgmma_ab(dq, ds_operand, tile_k);
      warpgroup_commit();
    }
    m.own.release();
    warpgroup_wait<0>();
    warpgroup_fence_operand(dq);
    if (tiles > 0) m.barriers.consumer_release(previous);
    store_query_gradients(in, g, dq, first_row, it.rows.end, it.h, lane);
  };

  specialize_attention(
      m, [&] { m.own.template produce<true>(in.q_starts, in, work, load_own, load_keys_of); },
      [&] { m.own.template consume<true>(in.q_starts, in, work, consume_item); });
}

template <class Head, bool grouped>
__global__ void __launch_bounds__(specialized_threads, 1)
    backward_dkv(const __grid_constant__ AttentionTensorMaps maps, MmaInputs in, MmaGradients g,
                 AttentionWork work) {
  extern __shared__ __align__(128) std::byte shared[];
  if constexpr (compiled_for_sm90a)
    dkv_tiles<Head, grouped>(shared_storage_at<DkvStorage<Head>>(shared), maps, in, g, work);
}

template <class Head>
__global__ void __launch_bounds__(specialized_threads, 1)
    backward_dq(const __grid_constant__ AttentionTensorMaps maps, MmaInputs in, MmaGradients g,
                AttentionWork work) {
  extern __shared__ __align__(128) std::byte shared[];
  if constexpr (compiled_for_sm90a) dq_tiles(shared_storage_at<DqStorage<Head>>(shared), maps, in, g, work);
}

}  // namespace

bool attention_backward_wgmma(const Device& device, const AttentionBackward& a, const MmaGradients& g) {
  if (!gradients_aligned(a)) return false;
  return with_wgmma_head(device, a, [&]<class Head>(Head) {
    const MmaInputs in = attention_inputs<bf16>(a);
    AttentionTensorMaps maps = tensor_maps_of(a);
    maps.dout = tensor_map_of_heads(a.dout);
    constexpr int streams = 4;  // both sides' rows, of heads that begin while others end
    const AttentionWork of_keys(device, in, in.G, g.M, streams), of_queries(device, in, in.H, g.M, streams);
    launch(device, of_keys.grid(device, in, g.M), specialized_threads, shared_bytes_of<DkvStorage<Head>>,
           in.group > 1 ? backward_dkv<Head, true> : backward_dkv<Head, false>, maps, in, g, of_keys);
    launch(device, of_queries.grid(device, in, a.q.shape[0]), specialized_threads,
           shared_bytes_of<DqStorage<Head>>, backward_dq<Head>, maps, in, g, of_queries);
  });
}

}  // namespace fathom::cuda
