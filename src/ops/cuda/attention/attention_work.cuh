// How the persistent blocks of the wgmma attention kernels divide their work, and get from item to item.
#pragma once
#include "ops/cuda/attention/attention_wgmma.cuh"
#include "ops/cuda/hopper/work_queue.cuh"

namespace fathom::cuda {

// The items of the persistent blocks are the tiles of 128 own rows of every head, of queries or of keys:
// those of `heads_at_once` heads, then the next heads'.
struct AttentionWork {
  WorkQueue queue;
  int heads, heads_at_once;

  // Heads of queries whose keys and values fit in L2 together; `streams` > 1 when more is read along with
  // them, unless so few sets of heads are left that the blocks do not end together. As many heads of keys
  // that several heads of queries read: their blocks go through one head of queries after another, about
  // together.
  AttentionWork(const Device& device, const MmaInputs& in, int item_heads, int64_t keys, int streams = 1)
      : queue{device.cuda_context().counters(WorkQueue::counters_needed)}, heads(item_heads) {
    constexpr int64_t enough_sets = 8;
    const int64_t bytes = std::max<int64_t>(1, keys / std::max(in.B, 1)) * (in.Dn + in.Dr + in.Dv) *
                          static_cast<int64_t>(sizeof(Bf16));
    const int64_t fitting = device.cuda_context().properties().l2CacheSize / bytes * in.group;
    const int64_t at_once = fitting / streams * enough_sets <= heads ? fitting / streams : fitting;
    heads_at_once = static_cast<int>(std::clamp<int64_t>(at_once, 1, heads));
  }
  dim3 grid(const Device& device, const MmaInputs& in, int64_t rows) const {
    return persistent_grid(device, max_row_tiles(rows, in.B, block_rows) * heads);
  }
};

// Items with the most work come first: with the causal mask these are the last queries and the first keys.
struct AttentionItem {
  RowTile rows;
  int h;

  template <bool last_rows_first>
  __device__ static AttentionItem find(const int32_t* starts, const MmaInputs& in, const AttentionWork& work,
                                       int row_tiles, int item) {
    const int per_set = row_tiles * work.heads_at_once;
    const int first_head = item / per_set * work.heads_at_once, in_set = item % per_set;
    const int heads = min(work.heads_at_once, work.heads - first_head), tile = in_set / heads;
    return {find_row_tile(starts, in.B, last_rows_first ? row_tiles - 1 - tile : tile, block_rows),
            first_head + in_set % heads};
  }
};

// The keys that an item's queries see, in tiles. Made by whole warps.
template <int tile_rows, bool causal = true>
struct VisibleKeys {
  SequenceBounds s;
  int tiles;

  __device__ VisibleKeys(const MmaInputs& in, const RowTile& rows)
      : s(in, rows.group),
        tiles(uniform(static_cast<int>(s.visible_end<causal>(rows.end - 1) - s.keys) + tile_rows - 1) /
              tile_rows) {}
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
    const int row_tiles = count_row_tiles(starts, in.B, block_rows), items = row_tiles * work.heads;
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
      const int current = uniform(threadIdx.x % warp_size == 0 ? item : 0);  // as lane 0 releases it
      if (current < 0) return;
      body(AttentionItem::find<last_rows_first>(starts, in, work, row_tiles, current));
    }
  }
  __device__ void release() { barriers.consumer_release(0); }
};

}  // namespace fathom::cuda
