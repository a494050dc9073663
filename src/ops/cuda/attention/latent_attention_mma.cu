// Latent attention of bf16 on the tensor cores: sixteen heads are the rows of every product, so a cached row
// is read once for all of them. A block goes over its part of the context in tiles of 64 cached rows: its
// warps share out the rows of a tile to score them, then the columns of the output.
#include "ops/cuda/attention/latent_attention.cuh"
#include "ops/cuda/matmul/mma.cuh"

namespace fathom::cuda {
namespace {

constexpr int warps = 8, threads = warps * warp_size;
constexpr int heads = 16, rows = 64;
static_assert(rows == warps * 8);

template <int R, int Dr>
struct Shared {
  static constexpr int width = R + Dr;
  Bf16 queries[heads * Tile<width>::ld];
  Bf16 latents[rows * Tile<width>::ld];
  Bf16 weights[heads * Tile<rows>::ld];
  float scores[heads][rows + 4];
  float shrink[heads];
};

// Rows begin at the part's first; past `valid` zeros.
template <int width>
__device__ void fetch_rows(const Tile<width>& tile, const LatentCache<Bf16>& cache, int b, int64_t first,
                           int64_t valid) {
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

// scores[h][warp's eight rows], not yet scaled. Two sums, as each product waits for the one before.
template <int width>
__device__ void score(float (*scores)[rows + 4], const Tile<width>& queries, const Tile<width>& latents) {
  const int lane = threadIdx.x % warp_size, first = threadIdx.x / warp_size * 8;
  float even[4] = {}, odd[4] = {};
#pragma unroll 6
  for (int k = 0; k < width; k += 32) {
    const Fragment4 right = load_matrices(latents.at(first + lane % 8, k + lane / 8 * 8));
    multiply(even, queries.left(0, k, lane), right.r[0], right.r[1]);
    multiply(odd, queries.left(0, k + 16, lane), right.r[2], right.r[3]);
  }
  const int h = lane / 4, row = first + lane % 4 * 2;
  for (int i = 0; i < 4; ++i) scores[h + i / 2 * 8][row + i % 2] = even[i] + odd[i];
}

// A warp's two heads' running softmax in powers of two, the same in all lanes.
struct Softmax {
  float max = -INFINITY, sum = 0;

  // Writes the weights of a tile; returns by what earlier sums shrink.
  __device__ float take(Bf16* weights, const float* scores, float scale, int64_t valid) {
    const int lane = threadIdx.x % warp_size;
    float s[rows / warp_size], largest = max;
    for (int i = 0; i < rows / warp_size; ++i) {
      const int row = lane + i * warp_size;
      s[i] = row < valid ? scores[row] * scale : -INFINITY;
      largest = fmaxf(largest, s[i]);
    }
    largest = warp_max(largest);
    const float base = largest == -INFINITY ? 0 : largest, shrink = power_of_2(max - base);
    float added = 0;
    for (int i = 0; i < rows / warp_size; ++i) {
      const float p = power_of_2(s[i] - base);
      added += p;
      weights[lane + i * warp_size] = from_float<Bf16>(p);
    }
    sum = sum * shrink + warp_sum(added);
    max = largest;
    return shrink;
  }
};

template <int R, int Dr>
__global__ void __launch_bounds__(threads, 2)
    attend_part(PartResults results, LatentQueries<Bf16> q, LatentCache<Bf16> cache) {
  extern __shared__ __align__(128) std::byte memory[];
  auto& shared = *reinterpret_cast<Shared<R, Dr>*>(memory);
  constexpr int width = R + Dr, warp_columns = R / warps;
  const Tile<width> queries{shared.queries}, latents{shared.latents};
  const Tile<rows> weights{shared.weights};
  const int lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size, part = blockIdx.y;
  const int64_t n = blockIdx.x, length = q.positions[n] + 1, parts = parts_of(length);
  if (part >= parts) return;
  const int64_t begin = length * part / parts, end = length * (part + 1) / parts;
  const int b = q.sequence[n], first_head = blockIdx.z * heads;
  copy_rows<heads>(queries, q.H - first_head, [&](int h, int c) {
    const int64_t row = n * q.H + first_head + h;
    return c < R ? q.latent + row * q.latent_stride + c : q.rope + row * q.rope_stride + c - R;
  });

  Softmax softmax[heads / warps];
  float out[warp_columns / 8][4] = {};
  for (int64_t t = begin; t < end; t += rows) {
    fetch_rows(latents, cache, b, t, end - t);
    __pipeline_wait_prior(0);
    __syncthreads();
    score(shared.scores, queries, latents);
    __syncthreads();
#pragma unroll
    for (int i = 0; i < heads / warps; ++i) {
      const int h = warp + i * warps;
      const float shrink = softmax[i].take(weights.at(h, 0), shared.scores[h], q.scale * log2_e, end - t);
      if (lane == 0) shared.shrink[h] = shrink;
    }
    __syncthreads();
    const float upper = shared.shrink[lane / 4], lower = shared.shrink[lane / 4 + 8];
#pragma unroll
    for (int c = 0; c < warp_columns / 8; ++c)
      out[c][0] *= upper, out[c][1] *= upper, out[c][2] *= lower, out[c][3] *= lower;
#pragma unroll
    for (int k = 0; k < rows; k += 16) {
      const Fragment4 left = weights.left(0, k, lane);
#pragma unroll
      for (int c = 0; c < warp_columns; c += 16) {
        const Fragment4 right = latents.right_of_columns(k, warp * warp_columns + c, lane);
        multiply(out[c / 8], left, right.r[0], right.r[1]);
        multiply(out[c / 8 + 1], left, right.r[2], right.r[3]);
      }
    }
    __syncthreads();
  }
  for (int i = 0; i < heads / warps; ++i) {
    const int h = first_head + warp + i * warps;
    if (h >= q.H || lane > 0) continue;
    const PartResult result = results.at(n, part, h);
    *result.max = softmax[i].max * ln_2, *result.sum = softmax[i].sum;
  }
  for (int half = 0; half < 2; ++half) {
    const int h = first_head + lane / 4 + half * 8;
    if (h >= q.H) continue;
    float* to = results.at(n, part, h).out + warp * warp_columns + lane % 4 * 2;
    for (int c = 0; c < warp_columns / 8; ++c)
      to[c * 8] = out[c][2 * half], to[c * 8 + 1] = out[c][2 * half + 1];
  }
}

bool fits(const Bf16* rows, int64_t stride) {
  return rows_at_16_bytes(rows, stride * static_cast<int64_t>(sizeof(Bf16)));
}

}  // namespace

bool latent_attention_mma(const Device& device, const LatentQueries<Bf16>& q, int64_t N,
                          const LatentCache<Bf16>& cache, const PartResults& results) {
  if (!fits(q.latent, q.latent_stride) || !fits(q.rope, q.rope_stride) || !fits(cache.pages, cache.stride))
    return false;
  const dim3 grid(static_cast<unsigned>(N), static_cast<unsigned>(results.parts),
                  static_cast<unsigned>(blocks_for(q.H, heads)));
  const auto run = [&]<int R, int Dr>() {
    launch(device, grid, threads, sizeof(Shared<R, Dr>), attend_part<R, Dr>, results, q, cache);
    return true;
  };
  if (q.R == 512 && q.Dr == 64) return run.template operator()<512, 64>();  // every DeepSeek-V2
  if (q.R == 128 && q.Dr == 32) return run.template operator()<128, 32>();  // recipes/small.toml
  return false;
}

}  // namespace fathom::cuda
