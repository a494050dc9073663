// Decoding over the paged latent cache: the context of a query is cut into parts that blocks share out, each
// for eight heads, a warp a head; the parts are then joined in order. How a context is cut depends on its
// length alone, so a result depends neither on the batch nor on the GPU.
#include "ops/latent_attention.h"

#include "ops/cuda/grouped_tile.cuh"
#include "ops/cuda/vec.cuh"

namespace fathom::cuda {
namespace {

constexpr int threads = 256, heads_at_once = threads / warp_size;
constexpr int tile = warp_size;  // cached rows at a time: a lane scores one
constexpr int most_parts = 64, least_part = 32;
constexpr int64_t queries_at_once = 32;  // bounds the memory of the parts' results
constexpr int most_columns = 512, per_lane = most_columns / warp_size;  // of a latent

template <class T>
struct Cache {
  T* pages;
  int64_t stride;  // from one cached row to the next
  const int32_t* block_table;
  int64_t table_stride;
  int page;

  // The cached row of token t of sequence b.
  __device__ T* row(int b, int64_t t) const {
    return pages +
           (static_cast<int64_t>(block_table[b * table_stride + t / page]) * page + t % page) * stride;
  }
};

template <class T>
Cache<gpu_t<T>> cache_of(const Tensor& pages, const Tensor& block_table) {
  return {data<T>(pages), pages.row_stride, data<int32_t>(block_table), block_table.row_stride,
          static_cast<int>(pages.shape[1])};
}

template <class T>
struct Queries {
  const T *latent, *rope;
  int64_t latent_stride, rope_stride;
  const int32_t *sequence, *positions;
  int H, R, Dr;
  float scale;

  // The queries from n on.
  Queries from(int64_t n) const {
    Queries q = *this;
    q.latent += n * H * latent_stride, q.rope += n * H * rope_stride, q.sequence += n, q.positions += n;
    return q;
  }
};

__host__ __device__ inline int64_t parts_of(int64_t tokens) {
  const int64_t parts = (tokens + least_part - 1) / least_part;
  return parts < most_parts ? parts : most_parts;
}

// What a part knows of a head: sums relative to the largest score; out is not yet divided by the sum.
struct Part {
  float *max, *sum, *out;
  __device__ Part(float* memory, int64_t n, int part, int h, int H, int R)
      : max(memory + ((n * most_parts + part) * H + h) * (R + 2)), sum(max + 1), out(max + 2) {}
};

// A tile of cached rows into shared memory as f32, width + 1 apart; past `valid` zeros. A warp takes a row at
// a time.
template <int n, class T>
__device__ void fill_rows(float* rows, const Cache<T>& cache, int b, int64_t first, int64_t valid,
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
__global__ void attend_part(float* memory, Queries<T> q, Cache<T> cache) {
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
  const Part result(memory, n, part, h, q.H, q.R);
  if (lane == 0) *result.max = max, *result.sum = sum;
  for (int j = 0; j < per_lane; ++j)
    if (const int c = lane + j * warp_size; c < q.R) result.out[c] = out[j];
}

// The parts' outputs weighted by exp(max - the largest max), over the sum of all.
template <class T>
__global__ void join_parts(T* out, int64_t stride, float* memory, const int32_t* positions, int H, int R) {
  __shared__ float weights[most_parts], total;
  const int64_t n = blockIdx.x;
  const int h = blockIdx.y, parts = static_cast<int>(parts_of(positions[n] + 1));
  if (threadIdx.x < warp_size) {
    float max = -INFINITY, sum = 0;
    for (int i = threadIdx.x; i < parts; i += warp_size) max = fmaxf(max, *Part(memory, n, i, h, H, R).max);
    max = warp_max(max);
    for (int i = threadIdx.x; i < parts; i += warp_size) {
      const Part part(memory, n, i, h, H, R);
      weights[i] = expf(*part.max - max);
      sum += weights[i] * *part.sum;
    }
    sum = warp_sum(sum);
    if (threadIdx.x == 0) total = sum;
  }
  __syncthreads();
  for (int c = threadIdx.x; c < R; c += threads) {
    float sum = 0;
#pragma unroll 8
    for (int i = 0; i < parts; ++i) sum += weights[i] * Part(memory, n, i, h, H, R).out[c];
    out[(n * H + h) * stride + c] = from_float<T>(sum / total);
  }
}

template <class T>
__global__ void write_rows(Cache<T> cache, const T* latent, int64_t stride, const int32_t* sequence,
                           const int32_t* positions, int width) {
  const int64_t n = blockIdx.x;
  T* to = cache.row(sequence[n], positions[n]);
  for (int c = threadIdx.x; c < width; c += threads) to[c] = latent[n * stride + c];
}

template <class T>
__global__ void read_rows(T* out, int64_t stride, Cache<T> cache, const int32_t* starts, int B, int width) {
  const int64_t m = blockIdx.x;
  const int b = group_of(starts, B, m);
  const T* from = cache.row(b, m - starts[b]);
  for (int c = threadIdx.x; c < width; c += threads) out[m * stride + c] = from[c];
}

}  // namespace

void latent_attention(Device& device, const LatentAttention& a) {
  const int64_t N = a.out.shape[0], H = a.out.shape[1], R = a.out.cols(), Dr = a.q_rope.cols(),
                width = R + Dr;
  check(R <= most_columns, "latent_attention: latents of {} columns are wider than this backend's {}", R,
        most_columns);
  const int64_t most_tokens = a.block_table.cols() * a.pages.shape[1];
  auto* memory = static_cast<float*>(device.cuda_context().workspace(
      static_cast<size_t>(std::min(queries_at_once, N) * most_parts * H * (R + 2)) * sizeof(float)));
  const size_t shared = static_cast<size_t>(heads_at_once * width + tile * (width + 1)) * sizeof(float);
  with_dtype<float, bf16>("latent_attention", a.out.dtype, [&]<class T>(T) {
    const Queries<gpu_t<T>> q = {
        data<T>(a.q_latent),       data<T>(a.q_rope),          a.q_latent.row_stride, a.q_rope.row_stride,
        data<int32_t>(a.sequence), data<int32_t>(a.positions), static_cast<int>(H),   static_cast<int>(R),
        static_cast<int>(Dr),      static_cast<float>(a.scale)};
    for (int64_t n = 0; n < N; n += queries_at_once) {
      const Queries<gpu_t<T>> some = q.from(n);
      const dim3 grid(static_cast<unsigned>(std::min(queries_at_once, N - n)),
                      static_cast<unsigned>(parts_of(most_tokens)),
                      static_cast<unsigned>(blocks_for(H, heads_at_once)));
      with_width(by_eights(a.pages), [&](auto n_wide) {
        launch(device, grid, threads, shared, attend_part<n_wide, gpu_t<T>>, memory, some,
               cache_of<T>(a.pages, a.block_table));
      });
      launch(device, dim3(grid.x, static_cast<unsigned>(H)), threads, 0, join_parts<gpu_t<T>>,
             data<T>(a.out) + n * H * a.out.row_stride, a.out.row_stride, memory, some.positions, H, R);
    }
  });
}

void latent_write(Device& device, const LatentWrite& a) {
  with_dtype<float, bf16>("latent_write", a.latent.dtype, [&]<class T>(T) {
    launch(device, dim3(static_cast<unsigned>(a.latent.rows())), threads, 0, write_rows<gpu_t<T>>,
           cache_of<T>(a.pages, a.block_table), data<T>(a.latent), a.latent.row_stride,
           data<int32_t>(a.sequence), data<int32_t>(a.positions), a.latent.cols());
  });
}

void latent_read(Device& device, const LatentRead& a) {
  with_dtype<float, bf16>("latent_read", a.out.dtype, [&]<class T>(T) {
    launch(device, dim3(static_cast<unsigned>(a.out.rows())), threads, 0, read_rows<gpu_t<T>>, data<T>(a.out),
           a.out.row_stride, cache_of<T>(a.pages, a.block_table), data<int32_t>(a.kv_starts),
           a.block_table.shape[0], a.out.cols());
  });
}

}  // namespace fathom::cuda
