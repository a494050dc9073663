// Latent attention on Hopper for up to 32 heads: bound by reading the cache, so what counts is that loads
// never pause. Cached rows are the M dimension of both products, heads the N dimension, so that few heads
// waste little:
//   S^T [64 rows, heads] = K Q^T,   O^T [512, heads] += V^T P^T,   where V is the first 512 columns of K.
// A producer warp loads tiles of 64 cached rows into a ring of boxes of 64 columns; a box is free again as
// soon as its own product is done. The two consumer warpgroups take alternate tiles, each with an output and
// a softmax of its own, so that one's products overlap the other's softmax; they are merged once per part.
#include "ops/cuda/attention/latent_attention_few_heads.cuh"

namespace fathom::cuda {
namespace {

using namespace few_heads;

// Loads the queries and the tiles of one part. `box` counts boxes since the kernel's start.
template <int heads>
__device__ void load_part(Storage<heads>& m, const LatentPart& part, int part_number, unsigned& box,
                          const LatentParameters& p, const LatentQueryMaps& q, const Bf16Pages& cache,
                          int head) {
  const int lane = threadIdx.x % warp_size, buffer = part_number % 2;
  ChunkLookup lookup(cache, m.scheduled.sequence[part.query], m.scheduled.length[part.query], part);
  if (lane == 0) {
    Barrier& full = m.queries_full[buffer];
    m.queries_empty[buffer].wait((part_number / 2 & 1) ^ 1);
    full.arrive_expect_tx(sizeof m.queries[buffer]);
    for (int i = 0; i < boxes; ++i)
      load_query_box(full, m.queries[buffer] + i * m.query_elements, q, i, part.query * p.H + head);
  }
  for (int tile = 0; tile < part.tiles; ++tile) {
    lookup.start_tile((part.first_tile + tile) * cache.chunks_per_tile());
    const int chunks = lookup.chunks();
    RingPosition<Storage<heads>::slots> at(box);
    for (int i = 0; i < boxes; ++i, at.advance()) {
      Barrier& full = m.full[at.slot];
      if (lane == 0) {
        m.empty[at.slot].wait(at.parity ^ 1);
        full.arrive_expect_tx(chunks * cache.chunk_rows * swizzle_bytes);
      }
      for (int c = 0; c < chunks; ++c) {
        const int row = lookup.row(c);
        if (lane == 0)
          tma_load(full, m.box[at.slot] + c * cache.chunk_rows * swizzle_width, cache.map, i * swizzle_width,
                   row, 0);
      }
    }
    box += boxes;
  }
}

// One tile: its scores, their softmax, and its share of the output.
template <int heads>
__device__ void attend_tile(Storage<heads>& m, Accumulator<heads>& acc, unsigned box, int buffer, int valid,
                            float scale) {
  constexpr int slots = Storage<heads>::slots, own = heads / 4;
  const int lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size % 4, warpgroup = warpgroup_index();
  const RingPosition<slots> first(box);
  const auto release = [&](int slot) {
    __syncwarp();
    if (lane == 0) m.empty[slot].arrive();
  };

  // S^T: a box is multiplied as soon as it has come.
  float s[heads / 8][4];
  RingPosition<slots> at = first;
#pragma unroll
  for (int i = 0; i < boxes; ++i, at.advance()) {
    m.full[at.slot].wait(at.parity);
    warpgroup_arrive();
    const SmemDescriptor k = SmemDescriptor::k_major(m.box[at.slot]),
                         q = SmemDescriptor::k_major(m.queries[buffer] + i * m.query_elements);
#pragma unroll
    for (int c = 0; c < swizzle_width; c += 16)
      wgmma<false, false>(s, k + k_major_offset(c, tile_rows), q + k_major_offset(c, heads), i + c > 0);
    warpgroup_commit();
  }
  warpgroup_wait<0>();
  warpgroup_fence_operand(s);

  if (valid < tile_rows) {  // what follows may be anything, and 0 * NaN is not 0
    at = first;
    for (int i = 0; i < latent_boxes; ++i, at.advance())
      for (int c = threadIdx.x % warpgroup_size; c < box_elements / 8; c += warpgroup_size)
        if (c * 8 / swizzle_width >= valid) reinterpret_cast<uint4*>(m.box[at.slot])[c] = uint4{};
  }

  const int row = warp * 16 + lane / 4;
  float largest[own], factor[own];
#pragma unroll
  for (int i = 0; i < own; ++i) largest[i] = acc.max[i];
#pragma unroll
  for (int j = 0; j < heads / 8; ++j)
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      s[j][i] = row + i / 2 * 8 < valid ? s[j][i] * scale : -INFINITY;
      largest[2 * j + i % 2] = fmaxf(largest[2 * j + i % 2], s[j][i]);
    }
  reduce_rows(m, warpgroup, acc.turn, largest, Max());
  bool rescale = false;
#pragma unroll
  for (int i = 0; i < own; ++i) {
    rescale |= largest[i] != acc.max[i];
    factor[i] = exp2_shifted(acc.max[i], largest[i]);
    acc.max[i] = largest[i];
    acc.sum[i] *= factor[i];
  }
#pragma unroll
  for (int j = 0; j < heads / 8; ++j)
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      s[j][i] = exp2_shifted(s[j][i], largest[2 * j + i % 2]);
      acc.sum[2 * j + i % 2] += s[j][i];
    }
#pragma unroll
  for (int j = 0; j < heads / 8; j += 2)  // P^T: rows are heads, columns the tile's rows
    stmatrix_x4_trans(
        swizzled_chunk(m.p[warpgroup], j * 8 + lane / 16 * 8 + lane % 8, warp * 2 + lane / 8 % 2),
        as_a_fragment(s[j], s[j + 1]));
  fence_proxy_async();
  warpgroup_sync(warpgroup);
  if (__any_sync(~0u, rescale)) acc.scale(factor);

  // O^T: the boxes again, now by columns.
  at = first;
  const SmemDescriptor probabilities = SmemDescriptor::k_major(m.p[warpgroup]);
#pragma unroll
  for (int b = 0; b < latent_boxes; ++b) warpgroup_fence_operand(acc.out[b]);
  warpgroup_arrive();
#pragma unroll
  for (int b = 0; b < latent_boxes; ++b, at.advance()) {
    const SmemDescriptor v = SmemDescriptor::mn_major(m.box[at.slot], tile_rows);
#pragma unroll
    for (int k = 0; k < tile_rows; k += 16)
      wgmma<true, false>(acc.out[b], v + mn_major_offset(k), probabilities + k_major_offset(k, heads), true);
    warpgroup_commit();
  }
  release(at.slot);  // the rotary box
  at = first;
  [&]<int... b>(std::integer_sequence<int, b...>) {
    ((warpgroup_wait<latent_boxes - 1 - b>(), release(at.slot), at.advance()), ...);
  }
  (std::make_integer_sequence<int, latent_boxes>());
#pragma unroll
  for (int b = 0; b < latent_boxes; ++b) warpgroup_fence_operand(acc.out[b]);
}

template <int heads>
__device__ void attend(Storage<heads>& m, const LatentQueryMaps& q, const Bf16Pages& cache,
                       const LatentParameters& p, LatentPartResults<heads, latent_width> results) {
  const int workers = gridDim.x / p.groups, worker = blockIdx.x / p.groups, group = blockIdx.x % p.groups;
  results = results.of_group(group, workers, p.queries);
  fill<specialized_threads>(m.scheduled, p.sequence, p.positions, p.queries);
  prefetch_maps(q, cache);
  __syncthreads();
  const LatentSchedule schedule(m.scheduled, p.queries, workers);
  wait_for_previous_kernel();

  const auto produce = [&] {
    int part_number = 0;
    unsigned box = 0;
    schedule.for_each_part(worker, [&](const LatentPart& part) {
      load_part(m, part, part_number++, box, p, q, cache, group * heads);
    });
  };

  const auto consume = [&] {
    const int warpgroup = warpgroup_index();
    int part_number = 0;
    unsigned tile = 0;  // since the kernel's start; the warpgroups alternate
    Accumulator<heads> acc;
    schedule.for_each_part(worker, [&](const LatentPart& part) {
      const int buffer = part_number % 2, length = m.scheduled.length[part.query];
      acc.clear();
      m.queries_full[buffer].wait(part_number / 2 & 1);
      for (int i = 0; i < part.tiles; ++i)
        if ((tile + i) % 2 == warpgroup)
          attend_tile(m, acc, (tile + i) * boxes, buffer, length - (part.first_tile + i) * tile_rows,
                      p.scale);
      const int owner = part.tiles == 1 ? static_cast<int>(tile % 2) : -1;
      if (owner < 0)
        merge_warpgroups(m, acc, buffer);
      else
        reduce_rows(m, warpgroup, acc.turn, acc.sum, Add());
      __syncwarp();
      if (threadIdx.x % warp_size == 0) m.queries_empty[buffer].arrive();
      store_part(acc, owner, part, p, group * heads, &results.of(worker, part));
      if (part.count > 1) {
        consumer_sync();
        if (threadIdx.x == 0) results.arrive(part);
      }
      tile += part.tiles, ++part_number;
    });
    auto* joining = reinterpret_cast<JoinedFour<Layout<heads>>*>(m.box);
    static_assert(consumer_threads * sizeof *joining <= sizeof m.box);
    schedule.for_each_part(worker, [&](const LatentPart& part) {
      if (part.count > 1) join_parts(joining, results, worker, part, p, group * heads);
    });
  };

  warp_specialize<240, 24>([&] { m.init(); }, produce, consume);
}

template <int heads>
__global__ void __launch_bounds__(specialized_threads, 1)
    few_heads_kernel(const __grid_constant__ LatentQueryMaps q, const __grid_constant__ Bf16Pages cache,
                     LatentParameters p, LatentPartResults<heads, latent_width> results) {
  extern __shared__ __align__(128) std::byte shared[];
  if (compiled_for_sm90a) attend(shared_storage_at<Storage<heads>>(shared), q, cache, p, results);
}

template <int heads>
void launch_all(Device& device, const LatentAttention& a) {
  const int64_t workers = LatentLaunch<heads>::workers(device, 1);
  LatentLaunch<heads>::for_each(a, 1, [&](int64_t n, int64_t count) {
    const LatentLaunch<heads> l(device, a, n, count, 1, workers);
    launch(device,
           {.grid = dim3(static_cast<unsigned>(workers)),
            .threads = specialized_threads,
            .shared_bytes = shared_bytes_of<Storage<heads>>,
            .chained = true},
           few_heads_kernel<heads>, l.queries, l.cache, l.parameters, l.results);
  });
}

}  // namespace

void latent_attention_few_heads(Device& device, const LatentAttention& a) {
  a.out.shape[1] <= 16 ? launch_all<16>(device, a) : launch_all<32>(device, a);
}

}  // namespace fathom::cuda
