// Grouped-query attention of bf16 over a paged cache with mma.sync, bound by reading the cache. A block takes
// a split of the context for one head of keys and values and up to sixteen heads of queries that read it, the
// M dimension of both products. Its warps take alternate steps of sixteen cached rows, each with a pipeline
// of its own in shared memory (cp.async) and a softmax of its own, so that nothing but the end of the split
// makes them wait for one another; there they are merged in order.
#include "ops/cuda/attention/attention_fragments.cuh"
#include "ops/cuda/attention/paged_attention.cuh"

namespace fathom::cuda {
namespace {

constexpr int warps = 4, threads = warps * warp_size;
constexpr int heads = 16, step_rows = 16;

template <int Dk, int Dv>
struct Storage {
  static constexpr int width = Dk + Dv, stages = width < 256 ? 4 : 3;
  using Rows = SmemTile<width>;  // of keys and values
  // Of the warps, at the end of the split.
  struct Outputs {
    float out[warps][heads][Dv + 4];
  };
  union {
    Bf16 rows[warps][stages][step_rows * Rows::ld];
    Outputs outputs;
  };
  Bf16 queries[heads * SmemTile<Dk>::ld];
  float max[warps][heads], sum[warps][heads];
};

// What a block computes: one split of one query for some heads.
struct Work {
  int64_t n;
  int slice, first_head, heads_here, length, splits;
  int first_step, end_step;

  __device__ Work(const CachedQueries<Bf16>& q, const SplitRule& rule) {
    const int per_group = (q.group + heads - 1) / heads, blocks = q.H / q.group * per_group;
    n = blockIdx.x / blocks;
    const int block = blockIdx.x % blocks, in_group = block % per_group * heads;
    slice = block / per_group, first_head = slice * q.group + in_group;
    heads_here = min(heads, q.group - in_group);
    length = q.positions[n] + 1, splits = rule.splits_of(length);
    const int64_t steps = (length + step_rows - 1) / step_rows, split = blockIdx.y;
    first_step = static_cast<int>(splits > 0 ? steps * split / splits : 0);
    end_step = static_cast<int>(splits > 0 ? steps * (split + 1) / splits : 0);
  }
};

// Looks up and loads the steps of a warp.
template <int width>
class StepLoader {
 public:
  __device__ StepLoader(const LatentCache<Bf16>& cache, const CachedQueries<Bf16>& q, const Work& work)
      : pages_(cache.pages + work.slice * width),
        stride_(cache.stride),
        table_(cache.block_table + q.sequence[work.n] * cache.table_stride),
        page_(cache.page),
        length_(work.length),
        step_(work.first_step + static_cast<int>(threadIdx.x) / warp_size),
        end_(work.end_step),
        row_(look_up()) {}

  // Begins to load the warp's next step, if there is one; rows past the end of the context are zeros.
  __device__ void load(const SmemTile<width>& tile) {
    if (step_ < end_) {
      constexpr int per_row = width / 8;
#pragma unroll
      for (int i = threadIdx.x % warp_size; i < step_rows * per_row; i += warp_size) {
        const int r = i / per_row, c = i % per_row * 8, row = __shfl_sync(~0u, row_, r);
        __pipeline_memcpy_async(tile.at(r, c), pages_ + max(row, 0) * stride_ + c, 16, row < 0 ? 16 : 0);
      }
      step_ += warps;
      row_ = look_up();  // long before it is used
    }
    __pipeline_commit();
  }

 private:
  // The cached row of one of the next step's tokens, -1 past the last.
  __device__ int look_up() const {
    const int token = step_ * step_rows + static_cast<int>(threadIdx.x) % step_rows;
    return step_ < end_ && token < length_ ? table_[token / page_] * page_ + token % page_ : -1;
  }

  const Bf16* pages_;
  int64_t stride_;
  const int32_t* table_;
  int page_, length_, step_, end_, row_;
};

// One step: its scores, their softmax and its share of the output.
template <int Dk, int Dv>
__device__ void attend_step(const SmemTile<Dk + Dv>& tile, const Fragment (&queries)[Dk / 16], int valid,
                            float scale, SoftmaxRows& softmax, float (&out)[Dv / 8][4]) {
  const int lane = threadIdx.x % warp_size;
  float scores[step_rows / 8][4] = {};
#pragma unroll
  for (int k = 0; k < Dk; k += 16) {
    const Fragment right = tile.b_fragments(0, k, lane);
    mma_m16n8k16(scores[0], queries[k / 16], right.r[0], right.r[1]);
    mma_m16n8k16(scores[1], queries[k / 16], right.r[2], right.r[3]);
  }
  if (valid < step_rows) apply_mask<false>(scores, valid, lane);
  rescale_rows(out, softmax.update(scores, scale));
  const Fragment p = as_a_fragment(scores[0], scores[1]);
#pragma unroll
  for (int c = 0; c < Dv; c += 16) {
    const Fragment right = tile.b_fragments_trans(0, Dk + c, lane);
    mma_m16n8k16(out[c / 8], p, right.r[0], right.r[1]);
    mma_m16n8k16(out[c / 8 + 1], p, right.r[2], right.r[3]);
  }
}

// The warps' results become the split's. All threads have passed a barrier since the last step.
template <int Dk, int Dv>
__device__ void merge_warps(Storage<Dk, Dv>& m, const SoftmaxRows& softmax, const float (&out)[Dv / 8][4],
                            const Work& work, const SplitResults& results) {
  const int lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int h = lane / 4 + half * 8;
    const float sum = softmax.total(half);
    if (lane % 4 == 0) m.max[warp][h] = softmax.rows[half].max, m.sum[warp][h] = sum;
#pragma unroll
    for (int c = 0; c < Dv / 8; ++c)
      store_pair(&m.outputs.out[warp][h][column_of(c, 0, lane)],
                 make_float2(out[c][2 * half], out[c][2 * half + 1]));
  }
  __syncthreads();
  for (int i = threadIdx.x; i < work.heads_here * Dv; i += threads) {
    const int h = i / Dv, c = i % Dv;
    float largest = m.max[0][h], sum = 0, total = 0;
#pragma unroll
    for (int w = 1; w < warps; ++w) largest = fmaxf(largest, m.max[w][h]);
#pragma unroll
    for (int w = 0; w < warps; ++w) {
      const float weight = exp2_approx(m.max[w][h] - largest);
      sum += weight * m.sum[w][h], total += weight * m.outputs.out[w][h][c];
    }
    const SplitResult result = results.at(work.n, blockIdx.y, work.first_head + h);
    result.out[c] = total;
    if (c == 0) *result.max = largest * ln_2, *result.sum = sum;
  }
}

template <int Dk, int Dv>
__global__ void __launch_bounds__(threads)
    attend_split(SplitResults results, CachedQueries<Bf16> q, LatentCache<Bf16> cache) {
  extern __shared__ __align__(128) std::byte memory[];
  auto& m = *reinterpret_cast<Storage<Dk, Dv>*>(memory);
  using Rows = typename Storage<Dk, Dv>::Rows;
  constexpr int stages = Storage<Dk, Dv>::stages;
  const int lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size;
  const Work work(q, results.rule);
  if (static_cast<int>(blockIdx.y) >= work.splits) return wait_for_previous_kernel();
  StepLoader<Dk + Dv> loader(cache, q, work);
  wait_for_previous_kernel();

  const SmemTile<Dk> query_tile{m.queries};
  const Bf16* first_query = q.first + (work.n * q.H + work.first_head) * q.first_stride;
  cp_async_rows<heads>(query_tile, work.heads_here,
                       [&](int h, int c) { return first_query + h * q.first_stride + c; });
  __pipeline_commit();
  for (int i = 0; i < stages - 1; ++i) loader.load(Rows{m.rows[warp][i]});
  __pipeline_wait_prior(stages - 1);
  __syncthreads();
  Fragment queries[Dk / 16];
#pragma unroll
  for (int k = 0; k < Dk; k += 16) queries[k / 16] = query_tile.a_fragment(0, k, lane);

  SoftmaxRows softmax;
  float out[Dv / 8][4] = {};
  int stage = 0;
  for (int step = work.first_step + warp; step < work.end_step; step += warps) {
    __syncwarp();  // the stage before this one has been read
    loader.load(Rows{m.rows[warp][stage == 0 ? stages - 1 : stage - 1]});
    __pipeline_wait_prior(stages - 1);
    __syncwarp();
    attend_step<Dk, Dv>(Rows{m.rows[warp][stage]}, queries, work.length - step * step_rows, q.scale * log2_e,
                        softmax, out);
    if (++stage == stages) stage = 0;
  }
  __pipeline_wait_prior(0);
  __syncthreads();
  merge_warps(m, softmax, out, work, results);
}

bool aligned(const Bf16* rows, int64_t stride) {
  return rows_aligned_to_16_bytes(rows, stride * static_cast<int64_t>(sizeof(Bf16)));
}

}  // namespace

bool paged_attention_mma(const Device& device, const CachedQueries<Bf16>& q, int64_t N,
                         const LatentCache<Bf16>& cache, const SplitResults& results) {
  if (!has_mma_paged_heads(q.columns, q.values) || !aligned(q.first, q.first_stride) ||
      !aligned(cache.pages, cache.stride))
    return false;
  // The blocks of a query's heads are neighbours: together they read whole cached rows.
  const dim3 grid(static_cast<unsigned>(N * (q.H / q.group) * ceil_div(q.group, heads)),
                  static_cast<unsigned>(results.splits));
  [&]<size_t... i>(std::index_sequence<i...>) {
    const auto take = [&]<int Dk, int Dv>() {
      if (q.columns == Dk && q.values == Dv)
        launch_chained(device, grid, threads, sizeof(Storage<Dk, Dv>), attend_split<Dk, Dv>, results, q,
                       cache);
    };
    (take.template operator()<mma_paged_heads[i].qk, mma_paged_heads[i].v>(), ...);
  }
  (std::make_index_sequence<mma_paged_heads.size()>());
  return true;
}

}  // namespace fathom::cuda
