// Attention with wgmma in the manner of FlashAttention-3 (Shah et al. 2024), for DeepSeek-V2's head sizes:
// 192 for queries and keys, 128 for values. A block owns 128 rows of one head (queries, or keys in the
// backward pass), each consumer warpgroup 64 of them, and iterates over tiles of the other side, which the
// producer warp loads ahead.
#pragma once
#include "ops/cuda/attention/attention_fragments.cuh"
#include "ops/cuda/hopper/pipeline.cuh"
#include "ops/cuda/hopper/work_queue.cuh"

namespace fathom::cuda {

constexpr int head_dim_k = wgmma_heads.qk, head_dim_v = wgmma_heads.v;
static_assert(wgmma_rope_multiple == swizzle_width);
constexpr int block_rows = 128;  // rows that a block owns
constexpr int box_rows = 64;     // of a TMA box

// Tensor maps of the inputs: heads are matrices, tokens their rows.
struct AttentionTensorMaps {
  CUtensorMap q, kv, k_rope, dout;
};
inline CUtensorMap tensor_map_of_heads(const Tensor& t) {
  const int64_t heads = t.shape[1];
  return make_tensor_map({.dtype = DType::bf16,
                          .data = t.data,
                          .rows = t.shape[0],
                          .cols = t.cols(),
                          .row_stride = heads * t.row_stride,
                          .count = heads,
                          .matrix_stride = t.row_stride},
                         box_rows);
}
inline CUtensorMap tensor_map_of_rows(const Tensor& t) {
  return make_tensor_map(
      {.dtype = DType::bf16, .data = t.data, .rows = t.rows(), .cols = t.cols(), .row_stride = t.row_stride},
      box_rows);
}

// Whether these kernels take the heads, the alignment of the rows and the GPU.
template <class Args>
bool wgmma_supports(const Device& device, const Args& a) {
  return has_wgmma(device) && inputs_aligned(a) && has_wgmma_heads(a.q.cols(), a.out.cols(), a.k_rope.cols());
}

// The items of the persistent blocks are the tiles of 128 own rows of every head: those of `heads_at_once`
// heads, whose keys and values fit in L2 together, then the next heads'.
struct AttentionWork {
  WorkQueue queue;
  int heads_at_once;

  AttentionWork(const Device& device, const MmaInputs& in, int64_t keys)
      : queue{device.cuda_context().counters(WorkQueue::counters_needed)} {
    const int64_t bytes = std::max<int64_t>(1, keys / std::max(in.B, 1)) * (head_dim_k + head_dim_v) *
                          static_cast<int64_t>(sizeof(Bf16));
    heads_at_once = static_cast<int>(
        std::clamp<int64_t>(device.cuda_context().properties().l2CacheSize / bytes, 1, in.H));
  }
  static dim3 grid(const Device& device, const MmaInputs& in, int64_t rows) {
    return persistent_grid(device, max_row_tiles(rows, in.B, block_rows) * in.H);
  }
};

// Items with the most work come first: with the causal mask these are the last queries and the first keys.
struct AttentionItem {
  RowTile rows;
  int h;

  template <bool last_rows_first>
  __device__ static AttentionItem find(const int32_t* starts, const MmaInputs& in, const AttentionWork& work,
                                       int row_tiles, int item) {
    const int per_group = row_tiles * work.heads_at_once;
    const int first_head = item / per_group * work.heads_at_once, in_group = item % per_group;
    const int heads = min(work.heads_at_once, in.H - first_head), tile = in_group / heads;
    return {find_row_tile(starts, in.B, last_rows_first ? row_tiles - 1 - tile : tile, block_rows),
            first_head + in_group % heads};
  }
};

// The own rows of an item in shared memory.
struct OwnRows {
  int item;  // negative: there are no more
  PipelineBarriers<1> barriers;

  // For the producer warp: load(full, item) for each item, where one thread loads the own rows; full must
  // expect their bytes. Then rest(item), by the whole warp.
  template <bool last_rows_first, class Load, class Rest>
  __device__ void produce(const int32_t* starts, const MmaInputs& in, const AttentionWork& work,
                          const Load& load, const Rest& rest) {
    const bool leader = threadIdx.x % warp_size == 0;
    const int row_tiles = count_row_tiles(starts, in.B, block_rows), items = row_tiles * in.H;
    unsigned parity = 0;
    int next = work.queue.first();
    while (next < items) {
      const AttentionItem it = AttentionItem::find<last_rows_first>(starts, in, work, row_tiles, next);
      if (leader) {
        barriers.empty[0].wait(parity ^ 1);
        item = next;
        load(barriers.full[0], it);
        next = work.queue.next();
      }
      parity ^= 1;
      rest(it);
      next = __shfl_sync(~0u, next, 0);
    }
    if (!leader) return;
    work.queue.finish();
    barriers.empty[0].wait(parity ^ 1);
    item = -1;
    barriers.full[0].arrive();
  }
  // For the consumers: body(item), which must call release() once, when the own rows are no longer needed.
  template <bool last_rows_first, class Body>
  __device__ void consume(const int32_t* starts, const MmaInputs& in, const AttentionWork& work,
                          const Body& body) {
    const int row_tiles = count_row_tiles(starts, in.B, block_rows);
    for (unsigned parity = 0;; parity ^= 1) {
      barriers.full[0].wait(parity);
      const int current = uniform(item);
      if (current < 0) return;
      body(AttentionItem::find<last_rows_first>(starts, in, work, row_tiles, current));
    }
  }
  __device__ void release() { barriers.consumer_release(0); }
};

// The block's own rows and a pipeline of tiles of `rows` rows of the other side; *_k: queries or keys, *_v:
// values or douts.
template <int rows, int stages_, bool all_threads_arrive = false>
struct SharedStorage {
  static constexpr int tile_rows = rows, stages = stages_;
  Bf16 block_k[block_rows * head_dim_k];
  Bf16 tile_k[stages][tile_rows * head_dim_k];
  Bf16 tile_v[stages][tile_rows * head_dim_v];
  OwnRows own;
  PipelineBarriers<stages, all_threads_arrive> barriers;

  // Rows after the end of a sequence belong to the next one: zeros them. Called by all consumer threads.
  __device__ void zero_tail(int stage, int64_t valid) {
    zero_rows<tile_rows>(tile_k[stage], tile_rows * head_dim_k, valid);
    zero_rows<tile_rows>(tile_v[stage], tile_rows * head_dim_v, valid);
    consumer_sync();
  }
};

template <class Storage, class Produce, class Consume>
__device__ void specialize_attention(Storage& m, const Produce& produce, const Consume& consume) {
  warp_specialize<240, 24>([&] { m.own.barriers.init(), m.barriers.init(); }, produce, consume);
}

// TMA loads of `rows` rows from `first` on, by one thread; the barrier must expect their bytes.
template <int rows>
__device__ void load_columns(Barrier& barrier, Bf16* to, const CUtensorMap& map, int column, int columns,
                             int64_t first, int matrix) {
  for (int c = 0; c < columns; c += swizzle_width)
    for (int row = 0; row < rows; row += box_rows)
      tma_load(barrier, to + (c * rows + row * swizzle_width), map, column + c, first + row, matrix);
}
template <int rows>
__device__ void load_queries(Barrier& barrier, Bf16* to, const AttentionTensorMaps& maps, int64_t first,
                             int h) {
  load_columns<rows>(barrier, to, maps.q, 0, head_dim_k, first, h);
}
template <int rows>
__device__ void load_douts(Barrier& barrier, Bf16* to, const AttentionTensorMaps& maps, int64_t first,
                           int h) {
  load_columns<rows>(barrier, to, maps.dout, 0, head_dim_v, first, h);
}
template <int rows>
__device__ void load_keys(Barrier& barrier, Bf16* to, const AttentionTensorMaps& maps, int Dn, int64_t first,
                          int h) {
  load_columns<rows>(barrier, to, maps.kv, 0, Dn, first, h);
  load_columns<rows>(barrier, to + Dn * rows, maps.k_rope, 0, head_dim_k - Dn, first, 0);
}
template <int rows>
__device__ void load_values(Barrier& barrier, Bf16* to, const AttentionTensorMaps& maps, int Dn,
                            int64_t first, int h) {
  load_columns<rows>(barrier, to, maps.kv, Dn, head_dim_v, first, h);
}

constexpr int k_row_bytes = head_dim_k * sizeof(Bf16), v_row_bytes = head_dim_v * sizeof(Bf16);

// The producer's loop over tiles of keys and values from row `first` on; by one thread.
template <class Storage>
__device__ void load_key_tiles(Storage& m, PipelineState<Storage::stages>& state,
                               const AttentionTensorMaps& maps, int Dn, int64_t first, int64_t tiles, int h) {
  constexpr int rows = Storage::tile_rows;
  for (int64_t j = 0; j < tiles; ++j, state.advance()) {
    const int64_t key = first + j * rows;
    Barrier& full = m.barriers.full[state.stage];
    m.barriers.empty[state.stage].wait(state.parity ^ 1);
    full.arrive_expect_tx(rows * (k_row_bytes + v_row_bytes));
    load_keys<rows>(full, m.tile_k[state.stage], maps, Dn, key, h);
    load_values<rows>(full, m.tile_v[state.stage], maps, Dn, key, h);
  }
}

// scores = the warpgroup's 64 own rows times the tile's rows transposed, over `width` columns.
template <int width, int n8>
__device__ void wgmma_scores(float (&scores)[n8][4], const Bf16* block, const Bf16* tile) {
  const int warpgroup = threadIdx.x / warpgroup_size;
  const SmemDescriptor a = SmemDescriptor::k_major(block + warpgroup * (block_rows / 2) * swizzle_width),
                       b = SmemDescriptor::k_major(tile);
#pragma unroll
  for (int k = 0; k < width; k += 16)
    wgmma<false, false>(scores, a + k_major_offset(k, block_rows), b + k_major_offset(k, 8 * n8), k > 0);
}

// The warp's 16 own rows of `width` columns as A operands in registers.
template <int width>
struct RowFragments {
  Fragment part[width / 16];

  __device__ void load(const Bf16* block) {
    const int lane = threadIdx.x % warp_size, row = threadIdx.x / warp_size * 16 + lane % 16;
#pragma unroll
    for (int k = 0; k < width; k += 16)
      part[k / 16] = ldmatrix_x4(swizzled_chunk(block + k / swizzle_width * block_rows * swizzle_width, row,
                                                k % swizzle_width / 8 + lane / 16));
  }
};
// The same scores with the own rows in registers.
template <int width, int n8>
__device__ void wgmma_scores(float (&scores)[n8][4], const RowFragments<width>& rows, const Bf16* tile) {
  const SmemDescriptor b = SmemDescriptor::k_major(tile);
#pragma unroll
  for (int k = 0; k < width; k += 16)
    wgmma<false>(scores, rows.part[k / 16], b + k_major_offset(k, 8 * n8), k > 0);
}

// P or dS as an A operand in registers, rounded to bf16; K is tile_rows.
template <int tile_rows>
struct RegisterOperand {
  Fragment part[tile_rows / 16];

  __device__ void set(const float (&p)[tile_rows / 8][4]) {
#pragma unroll
    for (int k = 0; k < tile_rows / 16; ++k) part[k] = as_a_fragment(p[2 * k], p[2 * k + 1]);
  }
  // Element i of columns 8 n .. 8 n + 7, as rounded.
  __device__ float operator()(int n, int i) const {
    const uint32_t pair = part[n / 2].r[n % 2 * 2 + i / 2];
    return __uint_as_float(i % 2 ? pair & 0xffff0000u : pair << 16);
  }
};

// out += p tile.
template <int columns, int tile_rows>
__device__ void wgmma_ab(float (&out)[columns][4], const RegisterOperand<tile_rows>& p, const Bf16* tile) {
  const SmemDescriptor b = SmemDescriptor::mn_major(tile, tile_rows);
#pragma unroll
  for (int k = 0; k < tile_rows; k += 16) wgmma<true>(out, p.part[k / 16], b + mn_major_offset(k));
}

}  // namespace fathom::cuda
