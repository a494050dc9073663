// Latent attention on Hopper for up to 32 heads: bound by reading the cache, so what counts is that loads
// never pause. Cached rows are the M dimension of both products, heads the N dimension, so that few heads
// waste little:
//   S^T [64 rows, heads] = K Q^T,   O^T [512, heads] += V^T P^T,   where V is the first 512 columns of K.
// A producer warp loads tiles of 64 cached rows into a ring of boxes of 64 columns; a box is free again as
// soon as its own product is done. The two consumer warpgroups take tiles by turns, each with an output and a
// softmax of its own, so that one's products overlap the other's softmax; they are merged once per part.
#include "ops/cuda/attention/latent_attention_wgmma.cuh"

namespace fathom::cuda {
namespace {

constexpr int tile_rows = latent_tile_rows, boxes = cached_boxes;

template <int heads_>
struct Storage {
  static constexpr int heads = heads_;
  static constexpr int slots = heads == 16 ? 22 : 17;  // as many as fit
  static constexpr int query_elements = heads * swizzle_width;

  Bf16 box[slots][box_elements];
  Bf16 queries[2][boxes * query_elements];  // of this part and the next; then the merging of a part's halves
  Bf16 p[2][heads * tile_rows];             // P^T of each warpgroup
  float warp_stat[2][4][heads], max[2][heads], sum[2][heads];
  ScheduledQueries scheduled;
  Barrier full[slots], empty[slots], queries_full[2], queries_empty[2];

  __device__ void init() {
    for (int i = 0; i < slots; ++i) full[i].init(1), empty[i].init(warpgroup_size / warp_size);
    for (int i = 0; i < 2; ++i) queries_full[i].init(1), queries_empty[i].init(consumer_threads / warp_size);
  }
};

// The ring's slot and the parity of its barriers for the i-th box since the kernel's start.
template <int slots>
struct RingPosition {
  int slot;
  unsigned parity;

  __device__ explicit RingPosition(unsigned i) : slot(static_cast<int>(i % slots)), parity(i / slots % 2) {}
  __device__ void advance() {
    if (++slot == slots) slot = 0, parity ^= 1;
  }
};

// ---- Producer ----

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

// ---- Consumers ----

// What a warpgroup has accumulated of a part. A lane holds, of every eight heads, 2 (lane % 4) and the next;
// max and sum are those of its heads, the sum only over its own rows.
template <int heads>
struct Accumulator {
  static constexpr int own = heads / 4;  // heads of a lane
  float out[latent_boxes][heads / 8][4];
  float max[own], sum[own];

  __device__ void clear() {
#pragma unroll
    for (int b = 0; b < latent_boxes; ++b)
#pragma unroll
      for (int j = 0; j < heads / 8; ++j)
#pragma unroll
        for (int i = 0; i < 4; ++i) out[b][j][i] = 0;
#pragma unroll
    for (int i = 0; i < own; ++i) max[i] = -INFINITY, sum[i] = 0;
  }
  // Multiplies the outputs of each head.
  __device__ void scale(const float (&factor)[own]) {
#pragma unroll
    for (int b = 0; b < latent_boxes; ++b)
#pragma unroll
      for (int j = 0; j < heads / 8; ++j)
#pragma unroll
        for (int i = 0; i < 4; ++i) out[b][j][i] *= factor[2 * j + i % 2];
  }
};

// The lane's i-th head.
__device__ inline int head_of(int i, int lane) {
  return i / 2 * 8 + lane % 4 * 2 + i % 2;
}

// Reduces a value per own head over the lanes and warps of a warpgroup that hold other rows.
template <int heads, class Op>
__device__ void reduce_rows(Storage<heads>& m, int warpgroup, float (&x)[heads / 4], const Op& op) {
  const int lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size % 4;
#pragma unroll
  for (int i = 0; i < heads / 4; ++i)
    for (int offset = 4; offset < warp_size; offset *= 2) x[i] = op(x[i], __shfl_xor_sync(~0u, x[i], offset));
  if (lane < 4)
    for (int i = 0; i < heads / 4; ++i) m.warp_stat[warpgroup][warp][head_of(i, lane)] = x[i];
  warpgroup_sync(warpgroup);
#pragma unroll
  for (int i = 0; i < heads / 4; ++i) {
    const int h = head_of(i, lane);
    x[i] = m.warp_stat[warpgroup][0][h];
    for (int w = 1; w < 4; ++w) x[i] = op(x[i], m.warp_stat[warpgroup][w][h]);
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
  reduce_rows(m, warpgroup, largest, Max());
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

// Joins the two warpgroups' halves of a part: afterwards warpgroup w holds boxes 4 w .. 4 w + 3 of the whole
// part's output, and every lane its heads' maximum and sum. The part's queries are overwritten.
template <int heads>
__device__ void merge_warpgroups(Storage<heads>& m, Accumulator<heads>& acc, int buffer) {
  constexpr int half = latent_boxes / 2, own = heads / 4;
  const int lane = threadIdx.x % warp_size, warpgroup = warpgroup_index(),
            thread = threadIdx.x % warpgroup_size;
  auto* exchange = reinterpret_cast<float4*>(m.queries[buffer]);
  static_assert(half * heads / 8 * warpgroup_size * sizeof(float4) <= sizeof m.queries[0]);

  reduce_rows(m, warpgroup, acc.sum, Add());
  if (thread < 4)
    for (int i = 0; i < own; ++i) {
      m.max[warpgroup][head_of(i, lane)] = acc.max[i];
      m.sum[warpgroup][head_of(i, lane)] = acc.sum[i];
    }
  consumer_sync();
  float factor[own];
#pragma unroll
  for (int i = 0; i < own; ++i) {
    const int h = head_of(i, lane);
    const float max = fmaxf(m.max[0][h], m.max[1][h]);
    acc.sum[i] = m.sum[0][h] * exp2_shifted(m.max[0][h], max) + m.sum[1][h] * exp2_shifted(m.max[1][h], max);
    factor[i] = exp2_shifted(acc.max[i], max);
    acc.max[i] = max;
  }
  acc.scale(factor);
#pragma unroll
  for (int keeper = 0; keeper < 2; ++keeper) {
    if (warpgroup != keeper)
#pragma unroll
      for (int b = 0; b < half; ++b)
#pragma unroll
        for (int j = 0; j < heads / 8; ++j) {
          const float(&x)[4] = acc.out[keeper * half + b][j];
          exchange[(b * heads / 8 + j) * warpgroup_size + thread] = make_float4(x[0], x[1], x[2], x[3]);
        }
    consumer_sync();
    if (warpgroup == keeper)
#pragma unroll
      for (int b = 0; b < half; ++b)
#pragma unroll
        for (int j = 0; j < heads / 8; ++j) {
          float(&x)[4] = acc.out[keeper * half + b][j];
          const float4 other = exchange[(b * heads / 8 + j) * warpgroup_size + thread];
          x[0] += other.x, x[1] += other.y, x[2] += other.z, x[3] += other.w;
        }
    consumer_sync();
  }
}

// Where four of the accumulators belong: number `four` counts boxes, then eights of heads, then threads. x
// and y are a head and the next; z and w the same 8 latents further.
template <int heads>
struct Layout {
  int latent, head;

  __device__ explicit Layout(int four) {
    const int thread = four % warpgroup_size, j = four / warpgroup_size % (heads / 8),
              b = four / warpgroup_size / (heads / 8), lane = thread % warp_size;
    latent = b * swizzle_width + thread / warp_size * 16 + lane / 4;
    head = j * 8 + lane % 4 * 2;
  }
  // A value per head, `pitch` apart, for each of the four.
  __device__ float4 per_head(const float* x, int pitch) const {
    const float even = x[head * pitch], odd = x[(head + 1) * pitch];
    return make_float4(even, odd, even, odd);
  }
  __device__ void store(const LatentParameters& p, int query, int first_head, float4 x) const {
    const int h = first_head + head;
    Bf16* to = p.output(query, h) + latent;
    if (h < p.H) to[0] = from_float<Bf16>(x.x), to[8] = from_float<Bf16>(x.z);
    to += p.out_stride;
    if (h + 1 < p.H) to[0] = from_float<Bf16>(x.y), to[8] = from_float<Bf16>(x.w);
  }
};

// Writes a part: the output, when it is all of its query, else a result for the joining. `owner` is the
// warpgroup that holds all of it, or -1 when each holds its half.
template <int heads>
__device__ void store_part(const Accumulator<heads>& acc, int owner, const LatentPart& part,
                           const LatentParameters& p, int first_head,
                           LatentPartResult<heads, latent_width>* result) {
  constexpr int half = latent_boxes / 2;
  const int lane = threadIdx.x % warp_size, warpgroup = warpgroup_index(),
            thread = threadIdx.x % warpgroup_size;
#pragma unroll
  for (int b = 0; b < latent_boxes; ++b) {
    if (warpgroup != (owner < 0 ? b / half : owner)) continue;
#pragma unroll
    for (int j = 0; j < heads / 8; ++j) {
      const int four = (b * heads / 8 + j) * warpgroup_size + thread;
      const float(&x)[4] = acc.out[b][j];
      if (part.count > 1) {
        result->out[four] = make_float4(x[0], x[1], x[2], x[3]);
      } else {
        const float even = inverse_sum(acc.sum[2 * j]), odd = inverse_sum(acc.sum[2 * j + 1]);
        Layout<heads>(four).store(p, part.query, first_head,
                                  make_float4(x[0] * even, x[1] * odd, x[2] * even, x[3] * odd));
      }
    }
  }
  if (part.count > 1 && warpgroup == max(owner, 0) && thread < 4)
    for (int i = 0; i < heads / 4; ++i)
      result->max[head_of(i, lane)] = acc.max[i], result->sum[head_of(i, lane)] = acc.sum[i];
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
    unsigned tile = 0;  // since the kernel's start; the warpgroups take them by turns
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
        reduce_rows(m, warpgroup, acc.sum, Add());
      __syncwarp();
      if (threadIdx.x % warp_size == 0) m.queries_empty[buffer].arrive();
      store_part(acc, owner, part, p, group * heads, &results.of(worker, part));
      if (part.count > 1) {
        consumer_sync();
        if (threadIdx.x == 0) results.arrive(part);
      }
      tile += part.tiles, ++part_number;
    });
    auto& joining = *reinterpret_cast<JoinStorage<heads>*>(m.box);
    static_assert(sizeof joining <= sizeof m.box);
    schedule.for_each_part(worker, [&](const LatentPart& part) {
      if (part.count > 1) join_parts<Layout<heads>>(joining, results, worker, part, p, group * heads);
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
