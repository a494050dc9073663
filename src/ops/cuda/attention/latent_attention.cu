// Decoding over the paged latent cache: the context of a query is cut into parts that blocks share out, and
// the parts are then joined in order. Here the kernel for any sizes and both dtypes: a block attends for
// eight heads, a warp for one. latent_attention_mma.cu has the one for the tensor cores.
#include "ops/cuda/attention/latent_attention.cuh"

#include "ops/cuda/grouped_tile.cuh"
#include "ops/cuda/vec.cuh"

namespace fathom::cuda {
namespace {

constexpr int threads = 256, heads_at_once = threads / warp_size;
constexpr int tile = warp_size;            // cached rows at a time: a lane scores one
constexpr int64_t most_bytes = 128 << 20;  // of the parts' results: more queries take their turn
constexpr int most_columns = 512, per_lane = most_columns / warp_size;  // of a latent

// A tile of cached rows into shared memory as f32, width + 1 apart; past `valid` zeros. A warp takes a row at
// a time.
template <int n, class T>
__device__ void fill_rows(float* rows, const LatentCache<T>& cache, int b, int64_t first, int64_t valid,
                          int width) {
  const int lane = threadIdx.x % warp_size;
#pragma unroll
  for (int i = 0; i < tile / heads_at_once; ++i) {
    const int row = threadIdx.x / warp_size + i * heads_at_once;
    const T* from = row < valid ? cache.row(b, first + row) : nullptr;
    for (int c = lane * n; c < width; c += warp_size * n) {
      const Vec<n> v = from ? load<n>(from + c) : Vec<n>{};
      for (int j = 0; j < n; ++j) rows[row * (width + 1) + c + j] = v.v[j];
    }
  }
}

template <int n_wide, class T>
__global__ void attend_part(PartResults results, LatentQueries<T> q, LatentCache<T> cache) {
  extern __shared__ float shared[];
  const int64_t n = blockIdx.x, length = q.positions[n] + 1, parts = parts_of(length);
  const int part = blockIdx.y, lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size;
  if (part >= parts) return;
  const int64_t begin = length * part / parts, end = length * (part + 1) / parts;
  const int h = blockIdx.z * heads_at_once + warp, width = q.R + q.Dr, b = q.sequence[n];
  float *query = shared + warp * width, *rows = shared + heads_at_once * width;
  if (h < q.H)
    for (int c = lane; c < width; c += warp_size)
      query[c] = q.scale * (c < q.R ? to_float(q.latent[(n * q.H + h) * q.latent_stride + c])
                                    : to_float(q.rope[(n * q.H + h) * q.rope_stride + c - q.R]));
  float max = -INFINITY, sum = 0, out[per_lane] = {};
  for (int64_t t = begin; t < end; t += tile) {
    __syncthreads();
    fill_rows<n_wide>(rows, cache, b, t, end - t, width);
    __syncthreads();
    if (h >= q.H) continue;
    float score = 0;
    for (int c = 0; c < width; ++c) score += query[c] * rows[lane * (width + 1) + c];
    if (t + lane >= end) score = -INFINITY;
    const float largest = fmaxf(max, warp_max(score)), p = expf(score - largest),
                shrink = expf(max - largest);
    sum = sum * shrink + warp_sum(p);
    max = largest;
    for (float& x : out) x *= shrink;
    for (int k = 0; k < tile; ++k) {
      const float weight = __shfl_sync(~0u, p, k);
      for (int j = 0; j < per_lane; ++j)
        if (const int c = lane + j * warp_size; c < q.R) out[j] += weight * rows[k * (width + 1) + c];
    }
  }
  if (h >= q.H) return;
  const PartResult result = results.at(n, part, h);
  if (lane == 0) *result.max = max, *result.sum = sum;
  for (int j = 0; j < per_lane; ++j)
    if (const int c = lane + j * warp_size; c < q.R) result.out[c] = out[j];
}

// The parts' outputs weighted by exp(max - the largest max), over the sum of all. A block joins some columns
// of a head.
constexpr int join_threads = 128;
template <class T>
__global__ void join_parts(T* out, int64_t stride, PartResults results, const int32_t* positions) {
  __shared__ float weights[most_parts], total;
  const int64_t n = blockIdx.x;
  const int h = blockIdx.y, parts = static_cast<int>(parts_of(positions[n] + 1));
  if (threadIdx.x < warp_size) {
    float max = -INFINITY, sum = 0;
    for (int i = threadIdx.x; i < parts; i += warp_size) max = fmaxf(max, *results.at(n, i, h).max);
    max = warp_max(max);
    for (int i = threadIdx.x; i < parts; i += warp_size) {
      const PartResult part = results.at(n, i, h);
      weights[i] = expf(*part.max - max);
      sum += weights[i] * *part.sum;
    }
    sum = warp_sum(sum);
    if (threadIdx.x == 0) total = sum;
  }
  __syncthreads();
  const int c = blockIdx.z * join_threads + threadIdx.x;
  if (c >= results.R) return;
  float sum = 0;
#pragma unroll 16
  for (int i = 0; i < parts; ++i) sum += weights[i] * results.at(n, i, h).out[c];
  out[(n * results.H + h) * stride + c] = from_float<T>(sum / total);
}

}  // namespace

void latent_attention(Device& device, const LatentAttention& a) {
  const int64_t N = a.out.shape[0], H = a.out.shape[1], R = a.out.cols(), width = a.pages.cols();
  check(R <= most_columns, "latent_attention: latents of {} columns are wider than this backend's {}", R,
        most_columns);
  if (N == 0) return;
  const auto parts = static_cast<unsigned>(parts_of(a.block_table.cols() * a.pages.shape[1]));
  PartResults results{nullptr, static_cast<int>(parts), static_cast<int>(H), static_cast<int>(R)};
  const int64_t bytes = results.floats_a_query() * static_cast<int64_t>(sizeof(float)),
                at_once = std::clamp<int64_t>(most_bytes / bytes, 1, N);
  results.memory = static_cast<float*>(device.cuda_context().workspace(static_cast<size_t>(at_once * bytes)));
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
    const LatentCache<gpu_t<T>> cache = cache_of<T>(a.pages, a.block_table);
    for (int64_t n = 0; n < N; n += at_once) {
      const LatentQueries<gpu_t<T>> some = all.from(n);
      const auto queries = static_cast<unsigned>(std::min(at_once, N - n));
      bool done = false;
      if constexpr (std::is_same_v<T, bf16>)
        done = latent_attention_mma(device, some, queries, cache, results);
      if (!done) {
        const size_t shared = static_cast<size_t>(heads_at_once * width + tile * (width + 1)) * sizeof(float);
        const dim3 grid(queries, parts, static_cast<unsigned>(blocks_for(H, heads_at_once)));
        with_width(by_eights(a.pages), [&](auto n_wide) {
          launch(device, grid, threads, shared, attend_part<n_wide, gpu_t<T>>, results, some, cache);
        });
      }
      const dim3 grid(queries, static_cast<unsigned>(H), static_cast<unsigned>(blocks_for(R, join_threads)));
      launch(device, grid, join_threads, 0, join_parts<gpu_t<T>>, data<T>(a.out) + n * H * a.out.row_stride,
             a.out.row_stride, results, some.positions);
    }
  });
}

}  // namespace fathom::cuda
