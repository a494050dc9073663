// Attention to cached rows with mma.sync: the sizes that a kernel is compiled for, what a block computes, and
// how its warps load their cached rows. The kernel is in cached_attention_mma.cu.
#pragma once
#include "ops/cuda/attention/cached_attention.cuh"
#include "ops/cuda/attention/online_softmax.cuh"

namespace fathom::cuda::cached_mma {

constexpr int warps = 4, threads = warps * warp_size;
constexpr int step_rows = 16;  // cached rows that a warp takes at a time
constexpr int tile_heads = 8;  // of one mma
constexpr int max_tiles = 4;   // of a block
constexpr int max_heads = max_tiles * tile_heads;

// Of a slice of a cached row (CachedQueries): the columns of the key, where the value begins, and its
// columns. A block takes `tiles` tiles of eight heads.
template <int key_columns, int first_value_column, int value_columns, int head_tiles>
struct Form {
  static constexpr int Dk = key_columns, first_value = first_value_column, Dv = value_columns;
  static constexpr int tiles = head_tiles, heads = tiles * tile_heads;
  static constexpr int width = std::max(Dk, first_value + Dv);  // of the slice
  static constexpr int stages = width <= 128 ? 4 : 3;  // so that two blocks fit a Hopper multiprocessor
  static_assert(Dk % 16 == 0 && first_value % 8 == 0 && Dv % 16 == 0 && width % 16 == 0);
};

template <class F>
struct Storage {
  using Rows = SmemTile<F::width>;
  using Queries = SmemTile<F::Dk>;
  // Of the warps, at the end of the split.
  struct Outputs {
    float out[warps][F::heads][F::Dv + 4];
  };
  union {
    Bf16 rows[warps][F::stages][step_rows * Rows::ld];
    Outputs outputs;
  };
  static constexpr int query_rows = (F::heads + 15) / 16 * 16;  // fragments are loaded for sixteen heads
  Bf16 queries[query_rows * Queries::ld];
  float max[warps][F::heads], sum[warps][F::heads];
};

// What a block computes: one split of one query for some heads, in steps of cached rows.
struct Work {
  int64_t n;
  int slice, first_head, heads_here, length, splits;
  int first_step, end_step;

  __device__ Work(const CachedQueries<Bf16>& q, const SplitRule& rule, int heads) {
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
        table_(cache.block_table + q.sequence[work.n] * cache.table_stride),
        stride_(static_cast<int>(cache.stride)),
        page_(cache.page),
        length_(work.length),
        step_(work.first_step + static_cast<int>(threadIdx.x) / warp_size),
        end_(work.end_step),
        row_(look_up()) {}

  // Begins to load the warp's next step, if there is one; rows past the end of the context are zeros.
  __device__ void load(const SmemTile<width>& tile) {
    if (step_ < end_) {
      constexpr int per_row = width / 8;
      static_assert(step_rows * per_row % warp_size == 0);  // all lanes take part in every shuffle
#pragma unroll
      for (int i = threadIdx.x % warp_size; i < step_rows * per_row; i += warp_size) {
        const int r = i / per_row, c = i % per_row * 8, row = __shfl_sync(~0u, row_, r);
        const Bf16* from = pages_ + static_cast<int64_t>(max(row, 0)) * stride_ + c;
        __pipeline_memcpy_async(tile.at(r, c), from, 16, row < 0 ? 16 : 0);
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
  const int32_t* table_;
  int stride_, page_, length_, step_, end_, row_;
};

// The softmax of a lane's heads, 2 (lane % 4) and the next of every tile. The lane has the scores of two
// rows, lane / 4 and eight further; the lanes of equal lane % 4 have all.
template <int tiles>
struct SoftmaxHeads {
  OnlineSoftmax heads[tiles][2];

  // Scores become 2^(scale * score - max), scale > 0. factors: those that rescale the heads' accumulated
  // outputs.
  __device__ void update(float (&scores)[tiles][4], float scale, float (&factors)[tiles][2]) {
#pragma unroll
    for (int t = 0; t < tiles; ++t)
#pragma unroll
      for (int j = 0; j < 2; ++j) {
        OnlineSoftmax& head = heads[t][j];
        float largest = fmaxf(scores[t][j], scores[t][j + 2]);
        for (int offset = 4; offset < warp_size; offset *= 2)
          largest = fmaxf(largest, __shfl_xor_sync(~0u, largest, offset));
        factors[t][j] = head.raise_max(fmaxf(head.max, largest * scale));
        const float shift = head.shift();
#pragma unroll
        for (int i = j; i < 4; i += 2)
          head.sum += scores[t][i] = exp2_approx(fmaf(scores[t][i], scale, -shift));
      }
  }
  // The sum of a head over the lanes that share it.
  __device__ float total(int t, int j) const {
    float x = heads[t][j].sum;
    for (int offset = 4; offset < warp_size; offset *= 2) x += __shfl_xor_sync(~0u, x, offset);
    return x;
  }
};

}  // namespace fathom::cuda::cached_mma
