// The two backward kernels by Hopper's instruction: a block holds the gradients of 128 keys and goes over the
// queries that see them, or those of 128 queries and goes over the keys they see.
#include "ops/cuda/attention/attention_wgmma.cuh"

namespace fathom::cuda {
namespace {

constexpr int tile_rows = 64;

template <bool threads_share>
struct Memory : TileMemory<tile_rows, 3, threads_share> {
  alignas(box_alignment) Bf16 block_v[block_rows * wide_v];
};
// lse, in powers of two, and delta of the queries a block of keys goes over.
struct KeysMemory : Memory<true> {
  float lse[stages][tile_rows], delta[stages][tile_rows];
};
using QueriesMemory = Memory<false>;

__device__ void gradients_of_keys(KeysMemory& m, const AttentionMaps& maps, const MmaInputs& in,
                                  const MmaGradients& g) {
  const int h = blockIdx.y, lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size;
  const RowTile tile = find_row_tile(in.kv_starts, in.B, blockIdx.x, block_rows);
  if (tile.group < 0) return;
  const SequenceBounds s(in, tile.group);
  const int64_t skipped = tile.row - s.keys - s.ahead(), first = s.queries + (skipped > 0 ? skipped : 0);
  const int64_t tiles = (s.queries_end - first + tile_rows - 1) / tile_rows;
  Turn<KeysMemory::stages> turn;

  const auto copy = [&] {
    if (lane == 0) {
      m.block.arrive_and_expect(block_rows * (row_bytes_k + row_bytes_v));
      copy_keys<block_rows>(m.block, m.block_k, maps, in.Dn, tile.row, h);
      copy_values<block_rows>(m.block, m.block_v, maps, in.Dn, tile.row, h);
    }
    for (int64_t j = 0; j < tiles; ++j, turn.next()) {
      const int64_t query = first + j * tile_rows;
      Gate& full = m.gates.full[turn.stage];
      m.gates.empty[turn.stage].wait(turn.parity ^ 1);
      for (int i = lane; i < tile_rows; i += warp_size) {
        const bool valid = query + i < s.queries_end;
        const int64_t at = (query + i) * in.H + h;
        m.lse[turn.stage][i] = valid ? g.lse[at] * log2_e : 0;
        m.delta[turn.stage][i] = valid ? g.delta[at] : 0;
      }
      if (lane > 0) {
        full.arrive();
        continue;
      }
      full.arrive_and_expect(tile_rows * (row_bytes_k + row_bytes_v));
      copy_queries<tile_rows>(full, m.tile_k[turn.stage], maps, query, h);
      copy_douts<tile_rows>(full, m.tile_v[turn.stage], maps, query, h);
    }
  };

  const auto multiply = [&] {
    const int64_t first_row = tile.row + warp * 16 + lane / 4;  // the lane's other key is 8 further
    const float scale = in.scale * log2_e;
    float dk[wide_k / 8][4] = {}, dv[wide_v / 8][4] = {};
    LeftRows<tile_rows> weights, gradients;
    m.block.wait(0);
    for (int64_t j = 0; j < tiles; ++j, turn.next()) {
      const int64_t query = first + j * tile_rows, valid = s.queries_end - query;
      const Sight sight = {.whole = valid >= tile_rows && tile.row + warp * 16 + 15 < s.seen(query),
                           .rows = block_rows,
                           .columns = static_cast<int>(valid),
                           .ahead = static_cast<int>(s.seen(query) - first_row)};
      const Bf16 *queries = m.tile_k[turn.stage], *douts = m.tile_v[turn.stage];
      m.gates.full[turn.stage].wait(turn.parity);
      if (valid < tile_rows) m.clear_rows(turn.stage, valid);
      float scores[tile_rows / 8][4];
      products_begin();
      score<wide_k>(scores, m.block_k, queries);
      products_commit();
      products_wait<0>();
      products_written(scores);
      weigh_keys(scores, sight, scale, m.lse[turn.stage], lane);
      weights.take(scores);
      products_begin();
      float ds[tile_rows / 8][4];
      score<wide_v>(ds, m.block_v, douts);
      products_commit();
      add_product(dv, weights, douts);
      products_commit();
      products_wait<1>();
      products_written(ds);
      score_gradients_of_keys(ds, weights, in.scale, m.delta[turn.stage], lane);
      gradients.take(ds);
      products_begin();
      add_product(dk, gradients, queries);
      products_commit();
      products_wait<0>();
      m.gates.release(turn.stage);
    }
    products_written(dk), products_written(dv);
    store_key_gradients(in, g, dk, dv, first_row, tile.end, h, lane);
  };

  attend(m, copy, multiply);
}

__device__ void gradients_of_queries(QueriesMemory& m, const AttentionMaps& maps, const MmaInputs& in,
                                     const MmaGradients& g) {
  const int h = blockIdx.y, lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size;
  const RowTile tile = find_row_tile(in.q_starts, in.B, last_first(), block_rows);
  if (tile.group < 0) return;
  const SequenceBounds s(in, tile.group);
  const int64_t tiles = (s.seen(tile.end - 1) - s.keys + tile_rows - 1) / tile_rows;
  Turn<QueriesMemory::stages> turn;

  const auto copy = [&] {
    if (lane > 0) return;
    m.block.arrive_and_expect(block_rows * (row_bytes_k + row_bytes_v));
    copy_queries<block_rows>(m.block, m.block_k, maps, tile.row, h);
    copy_douts<block_rows>(m.block, m.block_v, maps, tile.row, h);
    copy_key_tiles(m, turn, maps, in.Dn, s.keys, tiles, h);
  };

  const auto multiply = [&] {
    const int64_t first_row = tile.row + warp * 16 + lane / 4;  // the lane's other query is 8 further
    const float scale = in.scale * log2_e;
    const QueryStatistics statistics(g, first_row, tile.end, h, in.H);
    float dq[wide_k / 8][4] = {};
    LeftRows<tile_rows> gradients;
    m.block.wait(0);
    int before = 0;
    for (int64_t j = 0; j < tiles; ++j, turn.next()) {
      const int64_t key = s.keys + j * tile_rows, valid = s.keys_end - key;
      const Sight sight = {
          .whole = key + tile_rows <= s.seen(tile.row + warp * 16) && tile.row + warp * 16 + 15 < tile.end,
          .rows = static_cast<int>(tile.end - first_row),
          .columns = tile_rows,
          .ahead = static_cast<int>(s.seen(first_row) - key)};
      const Bf16 *keys = m.tile_k[turn.stage], *values = m.tile_v[turn.stage];
      m.gates.full[turn.stage].wait(turn.parity);
      if (valid < tile_rows) m.clear_rows(turn.stage, valid);
      float p[tile_rows / 8][4], ds[tile_rows / 8][4];
      products_begin();
      score<wide_k>(p, m.block_k, keys);
      products_commit();
      score<wide_v>(ds, m.block_v, values);
      products_commit();
      products_wait<1>();  // and for the last tile's gradients
      products_written(p);
      if (j > 0) m.gates.release(before);
      before = turn.stage;
      weigh_queries(p, sight, scale, statistics, lane);
      products_wait<0>();
      products_written(ds);
      score_gradients_of_queries(ds, p, in.scale, statistics);
      gradients.take(ds);
      products_begin();
      add_product(dq, gradients, keys);
      products_commit();
    }
    products_wait<0>();
    products_written(dq);
    store_query_gradients(in, g, dq, first_row, tile.end, h, lane);
  };

  attend(m, copy, multiply);
}

__global__ void __launch_bounds__(copying_block, 1)
    backward_keys(const __grid_constant__ AttentionMaps maps, MmaInputs in, MmaGradients g) {
  extern __shared__ __align__(128) std::byte shared[];
  if constexpr (wgmma_here) gradients_of_keys(memory_at<KeysMemory>(shared), maps, in, g);
}

__global__ void __launch_bounds__(copying_block, 1)
    backward_queries(const __grid_constant__ AttentionMaps maps, MmaInputs in, MmaGradients g) {
  extern __shared__ __align__(128) std::byte shared[];
  if constexpr (wgmma_here) gradients_of_queries(memory_at<QueriesMemory>(shared), maps, in, g);
}

}  // namespace

bool attention_backward_wgmma(const Device& device, const AttentionBackward& a, const MmaGradients& g) {
  if (!suits_wgmma(device, a) || !gradients_fit(a)) return false;
  const MmaInputs in = attention_inputs<bf16>(a);
  const AttentionMaps maps = {
      .q = map_heads(a.q), .kv = map_heads(a.kv), .k_rope = map_rows_of(a.k_rope), .dout = map_heads(a.dout)};
  const auto grid = [&](int64_t rows) {
    return dim3(static_cast<unsigned>(most_row_tiles(rows, in.B, block_rows)), static_cast<unsigned>(in.H));
  };
  launch(device, grid(g.M), copying_block, memory_bytes<KeysMemory>, backward_keys, maps, in, g);
  launch(device, grid(a.q.shape[0]), copying_block, memory_bytes<QueriesMemory>, backward_queries, maps, in,
         g);
  return true;
}

}  // namespace fathom::cuda
