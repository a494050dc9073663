// What the Hopper kernels of latent attention share: the cache and the queries as TMA sees them, and how they
// are launched.
#pragma once
#include "ops/cuda/attention/latent_attention.cuh"
#include "ops/cuda/attention/latent_parts.cuh"
#include "ops/cuda/attention/online_softmax.cuh"
#include "ops/cuda/hopper/pipeline.cuh"

namespace fathom::cuda {

constexpr int latent_width = 512, latent_rope_width = 64;
constexpr int latent_boxes = latent_width / swizzle_width,
              cached_boxes = latent_boxes + latent_rope_width / swizzle_width;  // of a tile of cached rows
constexpr int box_elements = latent_tile_rows * swizzle_width;

// The cache in bf16: pages are loaded as they are. A chunk is what one TMA load takes: a page, or 64 rows of
// it.
struct Bf16Pages {
  CUtensorMap map;  // of all rows of all pages
  const int32_t* block_table;
  int64_t table_stride;
  int page, chunk_rows;

  __device__ int chunks_per_tile() const { return latent_tile_rows / chunk_rows; }
  // The row in `map` at which a chunk of sequence b begins.
  __device__ int row_of_chunk(int b, int chunk) const {
    const int token = chunk * chunk_rows;
    return block_table[b * table_stride + token / page] * page + token % page;
  }
};

// Looks up the chunks of a part for its producer warp: each lane one chunk, 32 chunks ahead of their use.
class ChunkLookup {
 public:
  __device__ ChunkLookup(const Bf16Pages& cache, int b, int length, const LatentPart& part)
      : cache_(cache),
        b_(b),
        first_(part.first_tile * cache.chunks_per_tile()),
        end_(min(first_ + part.tiles * cache.chunks_per_tile(),
                 (length + cache.chunk_rows - 1) / cache.chunk_rows)),
        rows_(look_up(first_)),
        rows_ahead_(look_up(first_ + warp_size)) {}

  // Goes to the next tile of the part, whose first chunk this is; chunks(): how many of it hold tokens.
  __device__ void start_tile(int chunk) {
    if (chunk == first_ + warp_size)
      first_ = chunk, rows_ = rows_ahead_, rows_ahead_ = look_up(chunk + warp_size);
    chunk_ = chunk;
  }
  __device__ int chunks() const { return max(0, min(cache_.chunks_per_tile(), end_ - chunk_)); }
  // Where chunk c, counted from the tile's first, begins: one of this tile, or of the next ones up to 32
  // chunks on. By all lanes.
  __device__ int row(int c) const {
    const int i = chunk_ + c - first_;
    return __shfl_sync(~0u, i < warp_size ? rows_ : rows_ahead_, i);
  }
  __device__ bool in_part(int c) const { return chunk_ + c < end_; }

 private:
  __device__ int look_up(int chunk) const {
    chunk += threadIdx.x % warp_size;
    return chunk < end_ ? cache_.row_of_chunk(b_, chunk) : 0;
  }

  const Bf16Pages& cache_;
  int b_, first_, end_, rows_, rows_ahead_, chunk_ = 0;
};

struct LatentParameters {
  const int32_t *sequence, *positions;
  int queries, H, groups;  // groups: of the heads that a block takes
  float scale;             // to base 2
  Bf16* out;
  int64_t out_stride;

  __device__ Bf16* output(int query, int h) const {
    return out + (static_cast<int64_t>(query) * H + h) * out_stride;
  }
};

struct LatentQueryMaps {
  CUtensorMap latent, rope;  // a row for each head of each query
};

__device__ inline void prefetch_maps(const LatentQueryMaps& q, const Bf16Pages& cache) {
  if (threadIdx.x > 0) return;
  prefetch_tensor_map(q.latent), prefetch_tensor_map(q.rope), prefetch_tensor_map(cache.map);
}

// Loads box i of the queries of `heads` heads; by one thread.
__device__ inline void load_query_box(Barrier& full, Bf16* box, const LatentQueryMaps& q, int i, int row) {
  tma_load(full, box, i < latent_boxes ? q.latent : q.rope, i < latent_boxes ? i * swizzle_width : 0, row, 0);
}

// 2^(x - max), and 0 for a masked x while every score was masked.
__device__ inline float exp2_shifted(float x, float max) {
  return exp2_approx(x - softmax_shift(max));
}
__device__ inline float inverse_sum(float sum) {
  return sum > 0 ? 1 / sum : sum == 0 ? 0 : sum;  // no rows: 0; NaN stays
}

inline CUtensorMap latent_map(const Tensor& t, int64_t rows, int box_rows) {
  return make_tensor_map(
      {.dtype = DType::bf16, .data = t.data, .rows = rows, .cols = t.cols(), .row_stride = t.row_stride},
      box_rows);
}

// The arguments of a launch for some of the op's queries, by a kernel whose blocks take `heads` heads.
template <int heads_>
struct LatentLaunch {
  static constexpr int heads = heads_;
  using Results = LatentPartResults<heads, latent_width>;
  LatentQueryMaps queries;
  Bf16Pages cache;
  LatentParameters parameters;
  Results results;

  // Queries n .. n + count - 1, by `workers` workers for each group of heads.
  LatentLaunch(Device& device, const LatentAttention& a, int64_t n, int64_t count, int64_t groups,
               int64_t workers)
      : queries(query_maps(a, n, count)), cache(pages(a)), parameters(parameters_of(a, n, count, groups)) {
    using Result = typename Results::Result;
    CudaContext& context = device.cuda_context();
    const auto bytes = static_cast<size_t>(groups * workers * Results::per_worker) * sizeof(Result);
    results = {static_cast<Result*>(context.workspace(bytes)),
               context.counters(static_cast<size_t>(2 * groups * count))};
  }

  // For each group of heads, so that there is at most one block per multiprocessor.
  static int64_t workers(const Device& device, int64_t groups) {
    return device.cuda_context().multiprocessors() / groups;
  }

  // body(n, count) for as many queries as a launch takes, until all are done.
  template <class Body>
  static void for_each(const LatentAttention& a, int64_t groups, const Body& body) {
    const int64_t N = a.out.shape[0],
                  at_once = std::min<int64_t>(max_scheduled_queries,
                                              static_cast<int64_t>(CudaContext::max_counters) / (2 * groups));
    for (int64_t n = 0; n < N; n += at_once) body(n, std::min(at_once, N - n));
  }

 private:
  static LatentQueryMaps query_maps(const LatentAttention& a, int64_t n, int64_t count) {
    const int64_t rows = count * a.out.shape[1];
    return {latent_map(a.q_latent.slice(n, count), rows, heads),
            latent_map(a.q_rope.slice(n, count), rows, heads)};
  }
  static Bf16Pages pages(const LatentAttention& a) {
    const int page = static_cast<int>(a.pages.shape[1]), chunk_rows = std::min(page, latent_tile_rows);
    return {.map = latent_map(a.pages, a.pages.rows(), chunk_rows),
            .block_table = data<int32_t>(a.block_table),
            .table_stride = a.block_table.row_stride,
            .page = page,
            .chunk_rows = chunk_rows};
  }
  static LatentParameters parameters_of(const LatentAttention& a, int64_t n, int64_t count, int64_t groups) {
    const Tensor out = a.out.slice(n, count);
    return {.sequence = data<int32_t>(a.sequence) + n,
            .positions = data<int32_t>(a.positions) + n,
            .queries = static_cast<int>(count),
            .H = static_cast<int>(a.out.shape[1]),
            .groups = static_cast<int>(groups),
            .scale = static_cast<float>(a.scale * log2_e),
            .out = data<bf16>(out),
            .out_stride = out.row_stride};
  }
};

// The kernel for up to 32 heads, and the one for more, which splits them among blocks.
constexpr int64_t max_few_heads = 32;
void latent_attention_few_heads(Device& device, const LatentAttention& a);
void latent_attention_many_heads(Device& device, const LatentAttention& a);

}  // namespace fathom::cuda
