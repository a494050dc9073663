// Attention of single queries to cached rows in splits, for latent_attention.cu and paged_attention.cu. The
// kernel here needs no tensor cores and takes any sizes and both dtypes: a block takes eight heads that read
// the same rows, a warp one. cached_attention_mma.cu has the one with tensor cores.
#pragma once
#include "ops/cuda/attention/latent_cache.cuh"
#include "ops/cuda/attention/split_kv.cuh"
#include "ops/cuda/vec.cuh"

namespace fathom::cuda {

// A cached row is slices of `slice` columns, each read by `group` heads: a slice's first columns are the key,
// `values` columns from first_value on the value. A query is `first` followed by `second`, which may be
// absent.
template <class T>
struct CachedQueries {
  const T *first, *second = nullptr;
  int64_t first_stride, second_stride = 0;  // of a (query, head) row
  int first_columns, columns;
  const int32_t *sequence, *positions;
  int H, group, slice, first_value, values;
  float scale;

  // The queries from n on.
  CachedQueries from(int64_t n) const {
    CachedQueries q = *this;
    q.first += n * H * first_stride, q.sequence += n, q.positions += n;
    if (second) q.second += n * H * second_stride;
    return q;
  }
  __device__ float at(int64_t n, int h, int c) const {
    const int64_t row = n * H + h;
    return to_float(c < first_columns ? first[row * first_stride + c]
                                      : second[row * second_stride + c - first_columns]);
  }
};

// Whether the rows of queries and cache begin at multiples of 16 bytes, as cp.async needs.
template <class T>
bool rows_aligned(const CachedQueries<T>& q, const LatentCache<T>& cache) {
  const auto aligned = [](const T* rows, int64_t stride) {
    return rows_aligned_to_16_bytes(rows, stride * static_cast<int64_t>(sizeof(T)));
  };
  return aligned(q.first, q.first_stride) && aligned(q.second, q.second_stride) &&
         aligned(cache.pages, cache.stride);
}

namespace cached {

constexpr int threads = 256, block_heads = threads / warp_size;
constexpr int tile = warp_size;            // cached rows per step: a lane computes the score of one
constexpr int per_lane = 512 / warp_size;  // columns of a value
static_assert(per_lane * warp_size >= max_latent && per_lane * warp_size >= max_head_dim);

// Loads a tile of cached rows into shared memory as f32, rows width + 1 apart; zeros from row `valid` on. A
// warp loads a row.
template <int n, class T>
__device__ void fill_rows(float* rows, const LatentCache<T>& cache, int b, int64_t first, int64_t valid,
                          int width) {
  const int lane = threadIdx.x % warp_size;
#pragma unroll
  for (int i = 0; i < tile / block_heads; ++i) {
    const int row = threadIdx.x / warp_size + i * block_heads;
    const T* from = row < valid ? cache.row(b, first + row) : nullptr;
    for (int c = lane * n; c < width; c += warp_size * n) {
      const Vec<n> v = from ? load<n>(from + c) : Vec<n>{};
      for (int j = 0; j < n; ++j) rows[row * (width + 1) + c + j] = v.v[j];
    }
  }
}

template <int vec_n, class T>
__global__ void attend_split(SplitResults results, CachedQueries<T> q, LatentCache<T> cache) {
  extern __shared__ float shared[];
  const int64_t n = blockIdx.x, length = q.positions[n] + 1, splits = results.rule.splits_of(length);
  const int split = blockIdx.y, lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size;
  if (split >= splits) return;
  const int64_t begin = length * split / splits, end = length * (split + 1) / splits;
  const int per_group = (q.group + block_heads - 1) / block_heads;
  const int slice = blockIdx.z / per_group, in_group = blockIdx.z % per_group * block_heads + warp,
            h = slice * q.group + in_group, b = q.sequence[n];
  const bool has_head = in_group < q.group;
  cache.pages += slice * q.slice;
  float *query = shared + warp * q.columns, *rows = shared + block_heads * q.columns;
  if (has_head)
    for (int c = lane; c < q.columns; c += warp_size) query[c] = q.scale * q.at(n, h, c);
  float max = -INFINITY, sum = 0, out[per_lane] = {};
  for (int64_t t = begin; t < end; t += tile) {
    __syncthreads();
    fill_rows<vec_n>(rows, cache, b, t, end - t, q.slice);
    __syncthreads();
    if (!has_head) continue;
    float score = 0;
    for (int c = 0; c < q.columns; ++c) score += query[c] * rows[lane * (q.slice + 1) + c];
    if (t + lane >= end) score = -INFINITY;
    const float largest = fmaxf(max, warp_max(score)), p = expf(score - largest),
                rescale = expf(max - largest);
    sum = sum * rescale + warp_sum(p);
    max = largest;
    for (float& x : out) x *= rescale;
    for (int k = 0; k < tile; ++k) {
      const float weight = __shfl_sync(~0u, p, k);
      const float* values = rows + k * (q.slice + 1) + q.first_value;
      for (int j = 0; j < per_lane; ++j)
        if (const int c = lane + j * warp_size; c < q.values) out[j] += weight * values[c];
    }
  }
  if (!has_head) return;
  const SplitResult result = results.at(n, split, h);
  if (lane == 0) *result.max = max, *result.sum = sum;
  for (int j = 0; j < per_lane; ++j)
    if (const int c = lane + j * warp_size; c < q.values) result.out[c] = out[j];
}

}  // namespace cached

// The splits of N queries. vectorized: cached rows and their slices begin at multiples of 16 bytes.
template <class T>
void attend_cached(const Device& device, const CachedQueries<T>& q, int64_t N, const LatentCache<T>& cache,
                   bool vectorized, const SplitResults& results) {
  const size_t shared =
      static_cast<size_t>(cached::block_heads * q.columns + cached::tile * (q.slice + 1)) * sizeof(float);
  const dim3 grid(static_cast<unsigned>(N), static_cast<unsigned>(results.splits),
                  static_cast<unsigned>(q.H / q.group * ceil_div(q.group, cached::block_heads)));
  with_vec_width(vectorized, [&](auto n) {
    launch(device, grid, cached::threads, shared, cached::attend_split<n, T>, results, q, cache);
  });
}

// The same for bf16 with tensor cores, for the sizes of mma_paged_heads and narrow_latents (fast_paths.h) and
// rows that begin at multiples of 16 bytes.
bool cached_attention_mma_supports(const CachedQueries<__nv_bfloat16>& q,
                                   const LatentCache<__nv_bfloat16>& cache);
void cached_attention_mma(const Device& device, const CachedQueries<__nv_bfloat16>& q, int64_t N,
                          const LatentCache<__nv_bfloat16>& cache, const SplitResults& results);

}  // namespace fathom::cuda
