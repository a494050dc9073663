// Latent attention on Hopper for more than 32 heads: bound by arithmetic. A block takes 64 heads, the M
// dimension of both products; the two blocks of 128 heads form a cluster, and each loads half of every tile
// of cached rows for both (TMA multicast). Two tiles are in shared memory. Each consumer warpgroup computes
// the scores and the softmax of every second tile (the tile's owner), and half of the latent columns of the
// output for all tiles, so that one's products overlap the other's softmax. Source: FlashMLA's description of
// its kernel for the schedule of two warpgroups.
#include "ops/cuda/attention/latent_attention_wgmma.cuh"

namespace fathom::cuda {
namespace {

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
  __device__ explicit Slot(unsigned tile) : index(static_cast<int>(tile % slots)), parity(tile / slots % 2) {}
};

// ---- Producer ----

template <int cluster>
__device__ void load_part(Storage& m, const LatentPart& part, int part_number, unsigned first_tile,
                          const LatentParameters& p, const LatentQueryMaps& q, const Bf16Pages& cache,
                          int head, int rank) {
  const int lane = threadIdx.x % warp_size;
  ChunkLookup lookup(cache, m.scheduled.sequence[part.query], m.scheduled.length[part.query], part);
  if (lane == 0) {
    m.queries_empty.wait((part_number & 1) ^ 1);
    m.queries_full.arrive_expect_tx(sizeof m.queries);
    for (int i = 0; i < cached_boxes; ++i)
      load_query_box(m.queries_full, m.queries + i * query_elements, q, i, part.query * p.H + head);
  }
  for (int t = 0; t < part.tiles; ++t) {
    lookup.start_tile((part.first_tile + t) * cache.chunks_per_tile());
    const int chunks = lookup.chunks();
    const Slot slot(first_tile + t);
    for (int group = 0; group < groups; ++group) {
      Barrier& full = m.full[slot.index][group];
      const int first_box = group * half_boxes, boxes = group == rope_group ? 1 : half_boxes;
      if (lane == 0) {
        m.empty[slot.index][group].wait(slot.parity ^ 1);
        full.arrive_expect_tx(boxes * chunks * cache.chunk_rows * swizzle_bytes);
      }
      if (cluster > 1 && rank != (group == rope_group ? slot.index : group)) continue;
      for (int c = 0; c < chunks; ++c) {
        const int row = lookup.row(c);
        Bf16* to = m.tile[slot.index] + first_box * box_elements + c * cache.chunk_rows * swizzle_width;
        for (int b = 0; lane == 0 && b < boxes; ++b)
          tma_load_multicast<cluster>(full, to + b * box_elements, cache.map, (first_box + b) * swizzle_width,
                                      row, 0);
      }
      // The tile that will take this slot: shared memory has no room for it yet, L2 has.
      for (int c = 0; c < cache.chunks_per_tile(); ++c) {
        const int later = slots * cache.chunks_per_tile() + c, row = lookup.row(later);
        for (int b = 0; lane == 0 && lookup.in_part(later) && b < boxes; ++b)
          tma_prefetch(cache.map, (first_box + b) * swizzle_width, row, 0);
      }
    }
  }
}

// ---- Consumers ----

// A consumer warpgroup at work on a part. A lane holds rows (heads) warp * 16 + lane / 4 and 8 further.
template <int cluster>
class Consumer {
 public:
  __device__ Consumer(Storage& m, float scale) : m_(m), scale_(scale) {}

  // tile0: the part's first tile, counted since the kernel's start; valid: cached rows from there on.
  __device__ void attend(int tiles, unsigned tile0, int valid) {
    clear();
    for (int t = 0; t < tiles; t += 2) {
      const Slot even(tile0 + t), odd(tile0 + t + 1);
      const bool both = t + 1 < tiles;
      if (warpgroup_ == 0) {
        const Softmax own = softmax(0, even, valid - t * tile_rows, both);
        add_own(own, even);
        if (both) add_other(1, odd);
      } else if (both) {
        const Softmax own = softmax(1, odd, valid - (t + 1) * tile_rows, both);
        add_other(0, even);
        add_own(own, odd);
      } else {
        add_other(0, even);
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
#pragma unroll
    for (int j = 0; j < columns; ++j) {
      const int four = (warpgroup_ * columns + j) * warpgroup_size + threadIdx.x % warpgroup_size;
      const float(&x)[4] = out_[j];
      if (part.count > 1)
        result->out[four] = make_float4(x[0], x[1], x[2], x[3]);
      else
        Layout(four).store(p, part.query, first_head,
                           make_float4(x[0] * upper, x[1] * upper, x[2] * lower, x[3] * lower));
    }
    if (part.count > 1 && warpgroup_ == 0 && lane_ % 4 == 0)
      for (int i = 0; i < 2; ++i) result->max[row_ + 8 * i] = max_[i], result->sum[row_ + 8 * i] = total[i];
    consumer_sync();
    if (lane_ == 0) m_.queries_empty.arrive();
  }

 private:
  static constexpr int columns = latent_width / 2 / 8;
  static constexpr int max_is_known = 2;  // the signals 0 and 1: P of the even or odd tile is ready

  __device__ void clear() {
#pragma unroll
    for (int j = 0; j < columns; ++j)
#pragma unroll
      for (int i = 0; i < 4; ++i) out_[j][i] = 0;
    for (int i = 0; i < 2; ++i) max_[i] = -INFINITY, sum_[i] = 0;
  }

  // Of an own tile.
  struct Softmax {
    Fragment p[tile_rows / 16];  // P of the warpgroup's rows
    float max[2], sum[2];        // of the lane's rows: after this tile; over this tile and the lane's columns
  };

  // This warpgroup's columns of a tile, as V.
  __device__ SmemDescriptor values(int slot) const {
    return SmemDescriptor::mn_major(m_.tile[slot] + warpgroup_ * half_boxes * box_elements, tile_rows);
  }

  // S = Q K^T of an own tile, its boxes in the order in which they are loaded.
  __device__ void issue_scores(float (&s)[tile_rows / 8][4], const Slot& slot) {
#pragma unroll
    for (int i = 0; i < groups; ++i) {
      m_.full[slot.index][i].wait(slot.parity);
      warpgroup_arrive();
#pragma unroll
      for (int b = 0; b < (i == rope_group ? 1 : half_boxes); ++b) {
        const int box = i * half_boxes + b;
        const SmemDescriptor q = SmemDescriptor::k_major(m_.queries + box * query_elements),
                             k = SmemDescriptor::k_major(m_.tile[slot.index] + box * box_elements);
#pragma unroll
        for (int c = 0; c < swizzle_width; c += 16)
          wgmma<false, false>(s, q + k_major_offset(c, heads), k + k_major_offset(c, tile_rows),
                              i + b + c > 0);
      }
      warpgroup_commit();
    }
  }

  // The softmax of the even (which = 0) or odd tile of a pair, an own one. P is handed to the other
  // warpgroup.
  __device__ Softmax softmax(int which, const Slot& slot, int valid, bool both) {
    float s[tile_rows / 8][4];
    issue_scores(s, slot);
    warpgroup_wait<0>();
    warpgroup_fence_operand(s);
    if (valid < tile_rows) mask(s, slot.index, valid);
    Softmax own;
    // The maximum before this tile: the even tile's is published as soon as it is known.
    if (which == 1) wait_for_other_warpgroup(max_is_known);
#pragma unroll
    for (int row = 0; row < 2; ++row) {
      float largest = which == 1 ? m_.max[0][row_ + 8 * row] : max_[row];
#pragma unroll
      for (int j = 0; j < tile_rows / 8; ++j)
#pragma unroll
        for (int i = 2 * row; i < 2 * row + 2; ++i) largest = fmaxf(largest, s[j][i] *= scale_);
      for (int offset = 1; offset < 4; offset *= 2)
        largest = fmaxf(largest, __shfl_xor_sync(~0u, largest, offset));
      own.max[row] = largest;
      if (lane_ % 4 == 0) m_.max[which][row_ + 8 * row] = largest;
    }
    if (which == 0 && both) signal_other_warpgroup(max_is_known);
#pragma unroll
    for (int row = 0; row < 2; ++row) {
      const float shift = own.max[row] == -INFINITY ? 0 : own.max[row];
      own.sum[row] = 0;
#pragma unroll
      for (int j = 0; j < tile_rows / 8; ++j)
#pragma unroll
        for (int i = 2 * row; i < 2 * row + 2; ++i) own.sum[row] += s[j][i] = exp2_approx(s[j][i] - shift);
    }
#pragma unroll
    for (int k = 0; k < tile_rows / 16; ++k) {
      own.p[k] = as_a_fragment(s[2 * k], s[2 * k + 1]);
      stmatrix_x4(
          swizzled_chunk(m_.p(slot.index), warp_ * 16 + lane_ / 8 % 2 * 8 + lane_ % 8, 2 * k + lane_ / 16),
          own.p[k]);
    }
    fence_proxy_async();
    warpgroup_sync(warpgroup_);
    signal_other_warpgroup(which);
    return own;
  }

  // O += P V of an own tile.
  __device__ void add_own(const Softmax& own, const Slot& slot) {
    raise_max(own.max);
    for (int i = 0; i < 2; ++i) sum_[i] += own.sum[i];
    warpgroup_fence_operand(out_);
    warpgroup_arrive();
#pragma unroll
    for (int k = 0; k < tile_rows; k += 16)
      wgmma<true>(out_, own.p[k / 16], values(slot.index) + mn_major_offset(k));
    warpgroup_commit();
    warpgroup_wait<0>();
    warpgroup_fence_operand(out_);
    release(slot.index, warpgroup_);
  }

  // The same of the other warpgroup's tile.
  __device__ void add_other(int which, const Slot& slot) {
    m_.full[slot.index][warpgroup_].wait(slot.parity);
    wait_for_other_warpgroup(which);
    const float max[2] = {m_.max[which][row_], m_.max[which][row_ + 8]};
    raise_max(max);
    const SmemDescriptor p = SmemDescriptor::k_major(m_.p(slot.index));
    warpgroup_fence_operand(out_);
    warpgroup_arrive();
#pragma unroll
    for (int k = 0; k < tile_rows; k += 16)
      wgmma<false, true>(out_, p + k_major_offset(k, heads), values(slot.index) + mn_major_offset(k), true);
    warpgroup_commit();
    warpgroup_wait<0>();
    warpgroup_fence_operand(out_);
    release(slot.index, warpgroup_);
    release(slot.index, rope_group);
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

// Where four of the accumulators belong: number `four` counts eights of latents, then threads. x and y are a
// latent and the next; z and w the same 8 heads further.
struct Layout {
  int latent, head;

  __device__ explicit Layout(int four) {
    const int thread = four % warpgroup_size, lane = thread % warp_size;
    latent = four / warpgroup_size * 8 + lane % 4 * 2;
    head = thread / warp_size * 16 + lane / 4;
  }
  // A value per head, `pitch` apart, for each of the four.
  __device__ float4 per_head(const float* x, int pitch) const {
    const float upper = x[head * pitch], lower = x[(head + 8) * pitch];
    return make_float4(upper, upper, lower, lower);
  }
  __device__ void store(const LatentParameters& p, int query, int first_head, float4 x) const {
    const int h = first_head + head;
    Bf16* to = p.output(query, h) + latent;
    if (h < p.H) store_pair(to, make_float2(x.x, x.y));
    if (h + 8 < p.H) store_pair(to + 8 * p.out_stride, make_float2(x.z, x.w));
  }
};

template <int cluster>
__device__ void attend(Storage& m, const LatentQueryMaps& q, const Bf16Pages& cache,
                       const LatentParameters& p, LatentPartResults<heads, latent_width> results) {
  const int rank = blockIdx.x % cluster, cluster_groups = p.groups / cluster, workers = gridDim.x / p.groups,
            worker = blockIdx.x / cluster / cluster_groups,
            group = blockIdx.x / cluster % cluster_groups * cluster + rank;
  results = results.of_group(group, workers, p.queries);
  fill<specialized_threads>(m.scheduled, p.sequence, p.positions, p.queries);
  prefetch_maps(q, cache);
  if (threadIdx.x == 0) m.init(cluster);
  fence_proxy_async();
  cluster > 1 ? cluster_sync() : __syncthreads();
  const LatentSchedule schedule(m.scheduled, p.queries, workers);
  wait_for_previous_kernel();

  const auto produce = [&] {
    int part_number = 0;
    unsigned tile = 0;
    schedule.for_each_part(worker, [&](const LatentPart& part) {
      load_part<cluster>(m, part, part_number++, tile, p, q, cache, group * heads, rank);
      tile += part.tiles;
    });
  };

  const auto consume = [&] {
    int part_number = 0;
    unsigned tile = 0;
    Consumer<cluster> consumer(m, p.scale);
    schedule.for_each_part(worker, [&](const LatentPart& part) {
      m.queries_full.wait(part_number++ & 1);
      consumer.attend(part.tiles, tile, m.scheduled.length[part.query] - part.first_tile * tile_rows);
      consumer.template store<Layout>(part, p, group * heads, &results.of(worker, part));
      if (part.count > 1 && threadIdx.x == 0) results.arrive(part);
      tile += part.tiles;
    });
    auto& joining = *reinterpret_cast<JoinStorage<heads>*>(m.tile);
    static_assert(sizeof joining <= sizeof m.tile);
    schedule.for_each_part(worker, [&](const LatentPart& part) {
      if (part.count > 1) join_parts<Layout>(joining, results, worker, part, p, group * heads);
    });
  };

  warp_specialize<232, 40>([] {}, produce, consume);
  if (cluster > 1) cluster_sync();  // no block ends while another may signal it
}

template <int cluster>
__global__ void __launch_bounds__(specialized_threads, 1)
    many_heads_kernel(const __grid_constant__ LatentQueryMaps q, const __grid_constant__ Bf16Pages cache,
                      LatentParameters p, LatentPartResults<heads, latent_width> results) {
  extern __shared__ __align__(128) std::byte shared[];
  if (compiled_for_sm90a) attend<cluster>(shared_storage_at<Storage>(shared), q, cache, p, results);
}

template <int cluster>
void launch_all(Device& device, const LatentAttention& a) {
  const int64_t head_groups = ceil_div(a.out.shape[1], heads * cluster) * cluster;
  const int64_t workers = LatentLaunch<heads>::workers(device, head_groups);
  check(workers > 0, "latent_attention: {} heads are more than this GPU's {} multiprocessors take",
        a.out.shape[1], device.cuda_context().multiprocessors());
  LatentLaunch<heads>::for_each(a, head_groups, [&](int64_t n, int64_t count) {
    const LatentLaunch<heads> l(device, a, n, count, head_groups, workers);
    launch(device,
           {.grid = dim3(static_cast<unsigned>(head_groups * workers)),
            .threads = specialized_threads,
            .shared_bytes = shared_bytes_of<Storage>,
            .chained = true,
            .cluster = cluster},
           many_heads_kernel<cluster>, l.queries, l.cache, l.parameters, l.results);
  });
}

}  // namespace

void latent_attention_many_heads(Device& device, const LatentAttention& a) {
  a.out.shape[1] <= heads ? launch_all<1>(device, a) : launch_all<2>(device, a);
}

}  // namespace fathom::cuda
