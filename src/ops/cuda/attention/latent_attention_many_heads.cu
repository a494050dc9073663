// Latent attention on Hopper for more than 32 heads: bound by arithmetic. A block takes 64 heads, the M
// dimension of both products; the two blocks of 128 heads form a cluster, and each loads half of every tile
// of cached rows for both (TMA multicast). Two tiles are in shared memory. Each consumer warpgroup computes
// the scores and the softmax of every second tile (the tile's owner), and half of the latent columns of the
// output for all tiles in order; the scores of the next tile are computed during the softmax of this one.
// Source: FlashMLA's description of its kernel for the division among two warpgroups.
#include "ops/cuda/attention/latent_attention_many_heads.cuh"

namespace fathom::cuda {
namespace {

using namespace many_heads;

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
    const int chunks = lookup.chunks(), owner = t % 2;
    const Slot slot(first_tile + t);
    // In the order in which they become free.
    for (const int group : {owner, 1 - owner, rope_group}) {
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

// Where four of the accumulators belong: number `four` counts eights of latents, then threads. x and y are a
// latent and the next; z and w the same 8 heads further.
struct Layout {
  static constexpr int head_step = 8;
  int latent, head;

  __device__ explicit Layout(int four) : Layout(four / warpgroup_size, four % warpgroup_size) {}
  __device__ Layout(int eight, int thread)
      : latent(eight * 8 + thread % 4 * 2), head(thread / warp_size * 16 + thread % warp_size / 4) {}
  __device__ static float4 spread(float upper, float lower) {
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
    auto* joining = reinterpret_cast<JoinedFour<Layout>*>(m.tile);
    static_assert(consumer_threads * sizeof *joining <= sizeof m.tile);
    schedule.for_each_part(worker, [&](const LatentPart& part) {
      if (part.count > 1) join_parts(joining, results, worker, part, p, group * heads);
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
