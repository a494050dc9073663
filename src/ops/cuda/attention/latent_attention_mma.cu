// Latent attention of bf16 with mma.sync for the wide latent, 512 + 64: sixteen heads are the M dimension, so
// a cached row is read once for all of them. A block iterates over its split of the context in tiles of 64
// cached rows; its warps divide the rows of a tile for Q K^T, then the columns of the output for P V. In
// cached_attention_mma.cu, which has the other sizes, a warp holds outputs of all columns: here these would
// be 128 registers for every eight heads.
#include "ops/cuda/attention/latent_attention.cuh"
#include "ops/cuda/attention/online_softmax.cuh"

namespace fathom::cuda {
namespace {

constexpr int warps = 8, threads = warps * warp_size;
constexpr int heads = 16, rows = 64;
static_assert(rows == warps * 8);
constexpr int R = wide_latent.latent, width = R + wide_latent.rope, warp_columns = R / warps;

struct Storage {
  Bf16 queries[heads * SmemTile<width>::ld];
  Bf16 latents[rows * SmemTile<width>::ld];
  Bf16 p[heads * SmemTile<rows>::ld];
  float scores[heads][rows + 4];
  float rescale[heads];
};

// Zeros from row `valid` on.
__device__ void cp_async_cached_rows(const SmemTile<width>& tile, const LatentCache<Bf16>& cache, int b,
                                     int64_t first, int64_t valid) {
  const int lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size;
#pragma unroll
  for (int i = 0; i < rows / warps; ++i) {
    const int row = warp + i * warps;
    const bool inside = row < valid;
    const Bf16* from = cache.row(b, first + (inside ? row : 0));
#pragma unroll
    for (int c = lane * 8; c < width; c += warp_size * 8)
      __pipeline_memcpy_async(tile.at(row, c), from + c, 16, inside ? 0 : 16);
  }
  __pipeline_commit();
}

// scores[h][the warp's eight rows], not yet scaled. Two accumulators shorten the chain of dependent mmas.
__device__ void compute_scores(float (*scores)[rows + 4], const SmemTile<width>& queries,
                               const SmemTile<width>& latents) {
  const int lane = threadIdx.x % warp_size, first = threadIdx.x / warp_size * 8;
  float even[4] = {}, odd[4] = {};
#pragma unroll 6
  for (int k = 0; k < width; k += 32) {
    const Fragment right = ldmatrix_x4(latents.at(first + lane % 8, k + lane / 8 * 8));
    mma_m16n8k16(even, queries.a_fragment(0, k, lane), right.r[0], right.r[1]);
    if (k + 16 < width)  // else these columns are the next row's
      mma_m16n8k16(odd, queries.a_fragment(0, k + 16, lane), right.r[2], right.r[3]);
  }
  const int h = lane / 4, row = first + lane % 4 * 2;
  for (int i = 0; i < 4; ++i) scores[h + i / 2 * 8][row + i % 2] = even[i] + odd[i];
}

// Updates the softmax of a head with a tile of scores, the same in all lanes of its warp. Stores 2^(score -
// max) as p; returns the factor that rescales accumulated outputs.
__device__ float update_softmax(OnlineSoftmax& softmax, Bf16* p, const float* scores, float scale,
                                int64_t valid) {
  const int lane = threadIdx.x % warp_size;
  float s[rows / warp_size], largest = softmax.max;
  for (int i = 0; i < rows / warp_size; ++i) {
    const int row = lane + i * warp_size;
    s[i] = row < valid ? scores[row] * scale : -INFINITY;
    largest = fmaxf(largest, s[i]);
  }
  const float factor = softmax.raise_max(warp_max(largest)), shift = softmax.shift();
  float sum = 0;
  for (int i = 0; i < rows / warp_size; ++i) {
    const float x = exp2_approx(s[i] - shift);
    sum += x;
    p[lane + i * warp_size] = from_float<Bf16>(x);
  }
  softmax.sum += warp_sum(sum);
  return factor;
}

__global__ void __launch_bounds__(threads, 2)
    attend_split(SplitResults results, CachedQueries<Bf16> q, LatentCache<Bf16> cache) {
  wait_for_previous_kernel();
  extern __shared__ __align__(128) std::byte memory[];
  auto& shared = *reinterpret_cast<Storage*>(memory);
  const SmemTile<width> queries{shared.queries}, latents{shared.latents};
  const SmemTile<rows> p{shared.p};
  const int lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size, split = blockIdx.y;
  const int64_t n = blockIdx.x, length = q.positions[n] + 1, splits = results.rule.splits_of(length);
  if (split >= splits) return;
  const int64_t begin = length * split / splits, end = length * (split + 1) / splits;
  const int b = q.sequence[n], first_head = blockIdx.z * heads;
  cp_async_rows<heads>(queries, q.H - first_head, [&](int h, int c) {
    const int64_t row = n * q.H + first_head + h;
    return c < R ? q.first + row * q.first_stride + c : q.second + row * q.second_stride + c - R;
  });

  OnlineSoftmax softmax[heads / warps];
  float out[warp_columns / 8][4] = {};
  for (int64_t t = begin; t < end; t += rows) {
    cp_async_cached_rows(latents, cache, b, t, end - t);
    __pipeline_wait_prior(0);
    __syncthreads();
    compute_scores(shared.scores, queries, latents);
    __syncthreads();
#pragma unroll
    for (int i = 0; i < heads / warps; ++i) {
      const int h = warp + i * warps;
      const float factor =
          update_softmax(softmax[i], p.at(h, 0), shared.scores[h], q.scale * log2_e, end - t);
      if (lane == 0) shared.rescale[h] = factor;
    }
    __syncthreads();
    const float upper = shared.rescale[lane / 4], lower = shared.rescale[lane / 4 + 8];
#pragma unroll
    for (int c = 0; c < warp_columns / 8; ++c)
      out[c][0] *= upper, out[c][1] *= upper, out[c][2] *= lower, out[c][3] *= lower;
#pragma unroll
    for (int k = 0; k < rows; k += 16) {
      const Fragment left = p.a_fragment(0, k, lane);
#pragma unroll
      for (int c = 0; c < warp_columns; c += 16) {
        const Fragment right = latents.b_fragments_trans(k, warp * warp_columns + c, lane);
        mma_m16n8k16(out[c / 8], left, right.r[0], right.r[1]);
        mma_m16n8k16(out[c / 8 + 1], left, right.r[2], right.r[3]);
      }
    }
    __syncthreads();
  }
  for (int i = 0; i < heads / warps; ++i) {
    const int h = first_head + warp + i * warps;
    if (h >= q.H || lane > 0) continue;
    const SplitResult result = results.at(n, split, h);
    *result.max = softmax[i].max * ln_2, *result.sum = softmax[i].sum;
  }
  for (int half = 0; half < 2; ++half) {
    const int h = first_head + lane / 4 + half * 8;
    if (h >= q.H) continue;
    float* to = results.at(n, split, h).out + warp * warp_columns + lane % 4 * 2;
    for (int c = 0; c < warp_columns / 8; ++c)
      to[c * 8] = out[c][2 * half], to[c * 8 + 1] = out[c][2 * half + 1];
  }
}

}  // namespace

bool latent_attention_mma_supports(const CachedQueries<Bf16>& q, const LatentCache<Bf16>& cache) {
  return q.values == R && q.columns == width && rows_aligned(q, cache);
}

void latent_attention_mma(const Device& device, const CachedQueries<Bf16>& q, int64_t N,
                          const LatentCache<Bf16>& cache, const SplitResults& results) {
  const dim3 grid(static_cast<unsigned>(N), static_cast<unsigned>(results.splits),
                  static_cast<unsigned>(ceil_div(q.H, heads)));
  launch_chained(device, grid, threads, sizeof(Storage), attend_split, results, q, cache);
}

}  // namespace fathom::cuda
