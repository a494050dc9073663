// What a block of the wgmma kernels of attention's backward pass has in shared memory and registers.
#pragma once
#include "ops/cuda/attention/attention_work.cuh"

namespace fathom::cuda {

constexpr int backward_tile_rows = 64;

// The block's own rows and a pipeline of tiles of the other side; *_k: queries or keys, *_v: values or douts.
template <class Head_, bool all_threads_arrive>
struct BackwardStorage {
  using Head = Head_;
  static constexpr int stages = Head::k > 128 ? 3 : 4, tile_rows = backward_tile_rows;
  Bf16 block_k[block_rows * Head::k], block_v[block_rows * Head::v];
  Bf16 tile_k[stages][tile_rows * Head::k], tile_v[stages][tile_rows * Head::v];
  OwnRows own;
  PipelineBarriers<stages, all_threads_arrive> barriers;

  // Rows after the end of a sequence belong to the next one: zeros them. Called by all consumer threads.
  __device__ void zero_tail(int stage, int64_t valid) {
    zero_rows<tile_rows>(tile_k[stage], tile_rows * Head::k, valid);
    zero_rows<tile_rows>(tile_v[stage], tile_rows * Head::v, valid);
    consumer_sync();
  }
};

template <class Storage, class Produce, class Consume>
__device__ void specialize_attention(Storage& m, const Produce& produce, const Consume& consume) {
  warp_specialize<240, 24>([&] { m.own.barriers.init(), m.barriers.init(); }, produce, consume);
}

// The producer's loop over tiles of keys and values from row `first` on; by one thread.
template <class Storage>
__device__ void load_key_tiles(Storage& m, PipelineState<Storage::stages>& state,
                               const AttentionTensorMaps& maps, int Dn, int64_t first, int64_t tiles,
                               int kv_head) {
  using Head = typename Storage::Head;
  constexpr int rows = Storage::tile_rows;
  for (int64_t j = 0; j < tiles; ++j, state.advance()) {
    const int64_t key = first + j * rows;
    Barrier& full = m.barriers.full[state.stage];
    m.barriers.empty[state.stage].wait(state.parity ^ 1);
    full.arrive_expect_tx(rows * (Head::k_bytes + Head::v_bytes));
    load_keys<Head, rows>(full, m.tile_k[state.stage], maps, Dn, key, kv_head);
    load_values<Head, rows>(full, m.tile_v[state.stage], maps, Dn, key, kv_head);
  }
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

}  // namespace fathom::cuda
