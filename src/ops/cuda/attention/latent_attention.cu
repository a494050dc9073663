// Decoding over the paged latent cache with split-KV: a context is cut into splits that blocks compute, whose
// results are combined in order. Here the kernel without tensor cores, for any sizes and both dtypes: a block
// takes eight heads, a warp one. latent_attention_mma.cu is the one with tensor cores.
#include "ops/cuda/attention/latent_attention_wgmma.cuh"

#include "ops/cuda/row_tile.cuh"
#include "ops/cuda/vec.cuh"

namespace fathom::cuda {
namespace {

constexpr int threads = 256, block_heads = threads / warp_size;
constexpr int tile = warp_size;                   // cached rows per step: a lane computes the score of one
constexpr int64_t max_split_bytes = 128 << 20;    // of partial results: more queries run in several batches
constexpr int per_lane = max_latent / warp_size;  // columns of a latent

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
__global__ void attend_split(SplitResults results, LatentQueries<T> q, LatentCache<T> cache) {
  extern __shared__ float shared[];
  const int64_t n = blockIdx.x, length = q.positions[n] + 1, splits = splits_of(length);
  const int split = blockIdx.y, lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size;
  if (split >= splits) return;
  const int64_t begin = length * split / splits, end = length * (split + 1) / splits;
  const int h = blockIdx.z * block_heads + warp, width = q.R + q.Dr, b = q.sequence[n];
  float *query = shared + warp * width, *rows = shared + block_heads * width;
  if (h < q.H)
    for (int c = lane; c < width; c += warp_size)
      query[c] = q.scale * (c < q.R ? to_float(q.latent[(n * q.H + h) * q.latent_stride + c])
                                    : to_float(q.rope[(n * q.H + h) * q.rope_stride + c - q.R]));
  float max = -INFINITY, sum = 0, out[per_lane] = {};
  for (int64_t t = begin; t < end; t += tile) {
    __syncthreads();
    fill_rows<vec_n>(rows, cache, b, t, end - t, width);
    __syncthreads();
    if (h >= q.H) continue;
    float score = 0;
    for (int c = 0; c < width; ++c) score += query[c] * rows[lane * (width + 1) + c];
    if (t + lane >= end) score = -INFINITY;
    const float largest = fmaxf(max, warp_max(score)), p = expf(score - largest),
                rescale = expf(max - largest);
    sum = sum * rescale + warp_sum(p);
    max = largest;
    for (float& x : out) x *= rescale;
    for (int k = 0; k < tile; ++k) {
      const float weight = __shfl_sync(~0u, p, k);
      for (int j = 0; j < per_lane; ++j)
        if (const int c = lane + j * warp_size; c < q.R) out[j] += weight * rows[k * (width + 1) + c];
    }
  }
  if (h >= q.H) return;
  const SplitResult result = results.at(n, split, h);
  if (lane == 0) *result.max = max, *result.sum = sum;
  for (int j = 0; j < per_lane; ++j)
    if (const int c = lane + j * warp_size; c < q.R) result.out[c] = out[j];
}

// Combines the splits: their outputs weighted by exp(max - largest max), divided by the sum over all. A block
// takes some columns of a head.
constexpr int combine_threads = 128;
template <class T>
__global__ void combine_splits(T* out, int64_t stride, SplitResults results, const int32_t* positions) {
  wait_for_previous_kernel();
  __shared__ float weights[max_splits], total;
  const int64_t n = blockIdx.x;
  const int h = blockIdx.y, splits = static_cast<int>(splits_of(positions[n] + 1));
  if (threadIdx.x < warp_size) {
    float max = -INFINITY, sum = 0;
    for (int i = threadIdx.x; i < splits; i += warp_size) max = fmaxf(max, *results.at(n, i, h).max);
    max = warp_max(max);
    for (int i = threadIdx.x; i < splits; i += warp_size) {
      const SplitResult split = results.at(n, i, h);
      weights[i] = expf(*split.max - max);
      sum += weights[i] * *split.sum;
    }
    sum = warp_sum(sum);
    if (threadIdx.x == 0) total = sum;
  }
  __syncthreads();
  const int c = blockIdx.z * combine_threads + threadIdx.x;
  if (c >= results.R) return;
  float sum = 0;
#pragma unroll 16
  for (int i = 0; i < splits; ++i) sum += weights[i] * results.at(n, i, h).out[c];
  out[(n * results.H + h) * stride + c] = from_float<T>(sum / total);
}

// Whether the Hopper kernels take the sizes, types and alignments, and the GPU.
bool wgmma_supports(const Device& device, const LatentAttention& a) {
  const int64_t page = a.pages.shape[1];
  const bool page_suits =
      page % latent_tile_rows == 0 || (vectorizable_width(page) && latent_tile_rows % page == 0);
  return has_wgmma(device) && a.out.dtype == DType::bf16 && a.out.cols() == latent_width &&
         a.q_rope.cols() == latent_rope_width && page_suits && a.pages.rows() > 0 &&
         rows_aligned_to_16_bytes(a.q_latent) && rows_aligned_to_16_bytes(a.q_rope) &&
         rows_aligned_to_16_bytes(a.pages);
}

}  // namespace

void latent_attention(Device& device, const LatentAttention& a) {
  const int64_t N = a.out.shape[0], H = a.out.shape[1], R = a.out.cols(), width = a.pages.cols();
  check(R <= max_latent, "latent_attention: kv_lora_rank {} is larger than the CUDA backend's {}", R,
        max_latent);
  if (N == 0) return;
  if (wgmma_supports(device, a))
    return H <= max_few_heads ? latent_attention_few_heads(device, a)
                              : latent_attention_many_heads(device, a);
  const auto splits = static_cast<unsigned>(splits_of(a.block_table.cols() * a.pages.shape[1]));
  SplitResults results{nullptr, static_cast<int>(splits), static_cast<int>(H), static_cast<int>(R)};
  const int64_t bytes = results.floats_per_query() * static_cast<int64_t>(sizeof(float)),
                batch = std::clamp<int64_t>(max_split_bytes / bytes, 1, N);
  results.memory = static_cast<float*>(device.cuda_context().workspace(static_cast<size_t>(batch * bytes)));
  with_dtype<float, bf16>("latent_attention", a.out.dtype, [&]<class T>(T) {
    const LatentQueries<gpu_t<T>> all = {.latent = data<T>(a.q_latent),
                                         .rope = data<T>(a.q_rope),
                                         .latent_stride = a.q_latent.row_stride,
                                         .rope_stride = a.q_rope.row_stride,
                                         .sequence = data<int32_t>(a.sequence),
                                         .positions = data<int32_t>(a.positions),
                                         .H = static_cast<int>(H),
                                         .R = static_cast<int>(R),
                                         .Dr = static_cast<int>(a.q_rope.cols()),
                                         .scale = static_cast<float>(a.scale)};
    const LatentCache<gpu_t<T>> cache = latent_cache_of<T>(a.pages, a.block_table);
    for (int64_t n = 0; n < N; n += batch) {
      const LatentQueries<gpu_t<T>> some = all.from(n);
      const auto queries = static_cast<unsigned>(std::min(batch, N - n));
      bool done = false;
      if constexpr (std::is_same_v<T, bf16>)
        done = latent_attention_mma(device, some, queries, cache, results);
      if (!done) {
        const size_t shared = static_cast<size_t>(block_heads * width + tile * (width + 1)) * sizeof(float);
        const dim3 grid(queries, splits, static_cast<unsigned>(ceil_div(H, block_heads)));
        with_vec_width(vectorizable(a.pages), [&](auto vec_n) {
          launch(device, grid, threads, shared, attend_split<vec_n, gpu_t<T>>, results, some, cache);
        });
      }
      const dim3 grid(queries, static_cast<unsigned>(H), static_cast<unsigned>(ceil_div(R, combine_threads)));
      launch_chained(device, grid, combine_threads, 0, combine_splits<gpu_t<T>>,
                     data<T>(a.out) + n * H * a.out.row_stride, a.out.row_stride, results, some.positions);
    }
  });
}

}  // namespace fathom::cuda
