// Latent attention of more than 32 heads on Hopper: what a block has in shared memory, and its consumer
// warpgroups. The kernel is in latent_attention_many_heads.cu.
#pragma once
#include "ops/cuda/attention/latent_join.cuh"

namespace fathom::cuda::many_heads {

constexpr int heads = 64, tile_rows = latent_tile_rows;
constexpr int slots = 2;  // tiles in shared memory
// What is loaded, and free again, at the same time: the latent columns of each warpgroup, the rotary ones.
constexpr int groups = 3, rope_group = 2, half_boxes = latent_boxes / 2, rope_box = latent_boxes;
constexpr int query_elements = heads * swizzle_width;

struct Storage {
  Bf16 tile[slots][cached_boxes * box_elements];  // a tile's P replaces its rotary box
  Bf16 queries[cached_boxes * query_elements];
  float max[2][heads];  // after the tile, by parity
  float sum[2][heads];  // of each warpgroup
  ScheduledQueries scheduled;
  Barrier full[slots][groups], empty[slots][groups], queries_full, queries_empty;

  __device__ void init(int cluster) {
    constexpr int warps = warpgroup_size / warp_size;
    for (int s = 0; s < slots; ++s)
      for (int g = 0; g < groups; ++g) full[s][g].init(1), empty[s][g].init(warps * cluster);
    queries_full.init(1), queries_empty.init(consumer_threads / warp_size);
  }
  __device__ Bf16* p(int slot) { return tile[slot] + rope_box * box_elements; }
};

// A tile's slot and the parity of its barriers; tiles are counted since the kernel's start.
struct Slot {
  int index;
  unsigned parity;
  // By whole warps.
  __device__ explicit Slot(unsigned tile)
      : index(uniform(static_cast<int>(tile % slots))), parity(tile / slots % 2) {}
};

// A consumer warpgroup at work on a part. A lane holds rows (heads) warp * 16 + lane / 4 and 8 further.
template <int cluster>
class Consumer {
 public:
  __device__ Consumer(Storage& m, float scale) : m_(m), scale_(scale) {}

  // tile0: the part's first tile, counted since the kernel's start; valid: cached rows from there on.
  __device__ void attend(int tiles, unsigned tile0, int valid) {
    clear();
    float s[tile_rows / 8][4];
    for (int t = 0; t < tiles; ++t) {
      const Slot slot(tile0 + t);
      if (t % 2 == warpgroup_) {
        compute_scores(s, slot);
        add_own(s, t, slot, valid - t * tile_rows);
      } else {
        add_other(t, slot);
      }
    }
  }

  // Writes the part: the output, when it is all of its query, else a result for the joining. Contains
  // consumer_sync().
  template <class Layout>
  __device__ void store(const LatentPart& part, const LatentParameters& p, int first_head,
                        LatentPartResult<heads, latent_width>* result) {
    float total[2];
    for (int i = 0; i < 2; ++i) {
      for (int offset = 1; offset < 4; offset *= 2) sum_[i] += __shfl_xor_sync(~0u, sum_[i], offset);
      if (lane_ % 4 == 0) m_.sum[warpgroup_][row_ + 8 * i] = sum_[i];
    }
    consumer_sync();
    for (int i = 0; i < 2; ++i) total[i] = m_.sum[0][row_ + 8 * i] + m_.sum[1][row_ + 8 * i];
    const float upper = inverse_sum(total[0]), lower = inverse_sum(total[1]);
    const int first = warpgroup_ * columns, thread = threadIdx.x % warpgroup_size;
    if (part.count > 1) {
#pragma unroll
      for (int j = 0; j < columns; ++j)
        result->out[(first + j) * warpgroup_size + thread] =
            make_float4(out_[j][0], out_[j][1], out_[j][2], out_[j][3]);
    } else {
#pragma unroll
      for (int j = 0; j < columns; ++j)
        Layout(first + j, thread)
            .store(
                p, part.query, first_head,
                make_float4(out_[j][0] * upper, out_[j][1] * upper, out_[j][2] * lower, out_[j][3] * lower));
    }
    if (part.count > 1 && warpgroup_ == 0 && lane_ % 4 == 0)
      for (int i = 0; i < 2; ++i) result->max[row_ + 8 * i] = max_[i], result->sum[row_ + 8 * i] = total[i];
    consumer_sync();
    if (lane_ == 0) m_.queries_empty.arrive();
  }

 private:
  static constexpr int columns = latent_width / 2 / 8;

  __device__ void clear() {
#pragma unroll
    for (int j = 0; j < columns; ++j)
#pragma unroll
      for (int i = 0; i < 4; ++i) out_[j][i] = 0;
    for (int i = 0; i < 2; ++i) max_[i] = -INFINITY, sum_[i] = 0;
  }

  // This warpgroup's columns of a tile, as V.
  __device__ SmemDescriptor values(int slot) const {
    return SmemDescriptor::mn_major(m_.tile[slot] + warpgroup_ * half_boxes * box_elements, tile_rows);
  }

  // S = Q K^T of an own tile, its boxes in the order in which they are loaded.
  __device__ void compute_scores(float (&s)[tile_rows / 8][4], const Slot& slot) {
#pragma unroll
    for (int i = 0; i < groups; ++i) {
      const int group = i == rope_group ? i : i ^ warpgroup_;
      m_.full[slot.index][group].wait(slot.parity);
      warpgroup_arrive();
#pragma unroll
      for (int b = 0; b < (i == rope_group ? 1 : half_boxes); ++b) {
        const int box = group * half_boxes + b;
        const SmemDescriptor q = SmemDescriptor::k_major(m_.queries + box * query_elements),
                             k = SmemDescriptor::k_major(m_.tile[slot.index] + box * box_elements);
#pragma unroll
        for (int c = 0; c < swizzle_width; c += 16)
          wgmma<false, false>(s, q + k_major_offset(c, heads), k + k_major_offset(c, tile_rows),
                              i + b + c > 0);
      }
      warpgroup_commit();
    }
    warpgroup_wait<0>();
    warpgroup_fence_operand(s);
  }

  // O += P V of own tile t, whose scores become P, which is handed to the other warpgroup.
  __device__ void add_own(float (&s)[tile_rows / 8][4], int t, const Slot& slot, int valid) {
    if (valid < tile_rows) mask(s, slot.index, valid);
    float max[2], sum[2];
#pragma unroll
    for (int row = 0; row < 2; ++row) {
      float largest = s[0][2 * row];
#pragma unroll
      for (int j = 0; j < tile_rows / 8; ++j)
#pragma unroll
        for (int i = 2 * row; i < 2 * row + 2; ++i) largest = fmaxf(largest, s[j][i]);
      for (int offset = 1; offset < 4; offset *= 2)
        largest = fmaxf(largest, __shfl_xor_sync(~0u, largest, offset));
      max[row] = fmaxf(max_[row], largest * scale_);
      if (lane_ % 4 == 0) m_.max[t % 2][row_ + 8 * row] = max[row];
      const float shift = softmax_shift(max[row]);
      sum[row] = 0;
#pragma unroll
      for (int j = 0; j < tile_rows / 8; ++j)
#pragma unroll
        for (int i = 2 * row; i < 2 * row + 2; ++i)
          sum[row] += s[j][i] = exp2_approx(fmaf(s[j][i], scale_, -shift));
    }
    Fragment p[tile_rows / 16];
#pragma unroll
    for (int k = 0; k < tile_rows / 16; ++k) {
      p[k] = as_a_fragment(s[2 * k], s[2 * k + 1]);
      stmatrix_x4(
          swizzled_chunk(m_.p(slot.index), warp_ * 16 + lane_ / 8 % 2 * 8 + lane_ % 8, 2 * k + lane_ / 16),
          p[k]);
    }
    fence_proxy_async();
    warpgroup_sync(warpgroup_);
    signal_other_warpgroup(t % 2);
    raise_max(max);
    for (int i = 0; i < 2; ++i) sum_[i] += sum[i];
    add([&](int k) { wgmma<true>(out_, p[k / 16], values(slot.index) + mn_major_offset(k)); });
    release(slot.index, warpgroup_);
  }

  // The same of tile t of the other warpgroup.
  __device__ void add_other(int t, const Slot& slot) {
    m_.full[slot.index][warpgroup_].wait(slot.parity);
    wait_for_other_warpgroup(t % 2);
    const float max[2] = {m_.max[t % 2][row_], m_.max[t % 2][row_ + 8]};
    raise_max(max);
    const SmemDescriptor p = SmemDescriptor::k_major(m_.p(slot.index));
    add([&](int k) {
      wgmma<false, true>(out_, p + k_major_offset(k, heads), values(slot.index) + mn_major_offset(k), true);
    });
    release(slot.index, warpgroup_);
    release(slot.index, rope_group);
  }

  template <class Issue>
  __device__ void add(const Issue& issue) {
    warpgroup_fence_operand(out_);
    warpgroup_arrive();
#pragma unroll
    for (int k = 0; k < tile_rows; k += 16) issue(k);
    warpgroup_commit();
    warpgroup_wait<0>();
    warpgroup_fence_operand(out_);
  }

  // Masks the scores of rows from `valid` on, and zeros those rows: they may be anything, and 0 * NaN is not
  // 0.
  __device__ void mask(float (&s)[tile_rows / 8][4], int slot, int valid) {
#pragma unroll
    for (int j = 0; j < tile_rows / 8; ++j)
#pragma unroll
      for (int i = 0; i < 4; ++i)
        if (j * 8 + lane_ % 4 * 2 + i % 2 >= valid) s[j][i] = -INFINITY;
    for (int c = threadIdx.x % warpgroup_size; c < latent_boxes * box_elements / 8; c += warpgroup_size)
      if (c * 8 / swizzle_width % tile_rows >= valid) reinterpret_cast<uint4*>(m_.tile[slot])[c] = uint4{};
  }

  // Rescales what is accumulated to the rows' new maxima.
  __device__ void raise_max(const float (&max)[2]) {
    const float upper = exp2_shifted(max_[0], max[0]), lower = exp2_shifted(max_[1], max[1]);
    for (int i = 0; i < 2; ++i) max_[i] = max[i];
    if (!__any_sync(~0u, upper != 1 || lower != 1)) return;
    sum_[0] *= upper, sum_[1] *= lower;
#pragma unroll
    for (int j = 0; j < columns; ++j)
      out_[j][0] *= upper, out_[j][1] *= upper, out_[j][2] *= lower, out_[j][3] *= lower;
  }

  // This warp no longer reads a group of a tile: says so to all blocks that load for it.
  __device__ void release(int slot, int group) {
    __syncwarp();
    if (lane_ >= cluster) return;
    Barrier& empty = m_.empty[slot][group];
    cluster == 1 ? empty.arrive() : empty.arrive_remote(lane_);
  }

  Storage& m_;
  const float scale_;
  const int warpgroup_ = warpgroup_index(), warp_ = threadIdx.x / warp_size % 4,
            lane_ = threadIdx.x % warp_size, row_ = warp_ * 16 + lane_ / 4;
  float out_[columns][4];
  float max_[2], sum_[2];
};

}  // namespace fathom::cuda::many_heads
