// A warp takes a row: one head of one query.
#include "ops/attention_merge.h"

#include "ops/cuda/vec.cuh"

namespace fathom::cuda {
namespace {

constexpr int threads = 256, block_rows = threads / warp_size;

template <class T>
struct Merge {
  float *merged, *merged_lse;
  const T* part;
  const float* part_lse;
  T* out;  // may be absent
  int64_t merged_stride, part_stride, out_stride, rows;
  int Dv;
  bool first;
};

// body(index of a lane's first column) over a row of width C, n columns a lane.
template <int n, class Body>
__device__ void for_each_column(int C, const Body& body) {
  for (int c = threadIdx.x % warp_size * n; c < C; c += warp_size * n) body(c);
}

template <int n, class T>
__global__ void merge_rows(Merge<T> m) {
  const int64_t row = static_cast<int64_t>(blockIdx.x) * block_rows + threadIdx.x / warp_size;
  if (row >= m.rows) return;
  const float before = m.first ? -INFINITY : m.merged_lse[row], more = m.part_lse[row];
  // Nothing is read of a side without keys.
  const bool use_merged = before != -INFINITY, use_part = more != -INFINITY;
  if (!use_part && !m.first && !m.out) return;
  const float largest = fmaxf(before, more), shift = largest == -INFINITY ? 0 : largest;
  const float sum = expf(before - shift) + expf(more - shift), lse = shift + logf(sum);
  const float w_merged = use_merged ? expf(before - shift) / sum : 0,
              w_part = use_part ? expf(more - shift) / sum : 0;
  float* merged = m.merged + row * m.merged_stride;
  for_each_column<n>(m.Dv, [&](int c) {
    Vec<n> x{}, y{};
    if (use_merged) x = load<n>(merged + c);
    if (use_part) y = load<n>(m.part + row * m.part_stride + c);
    for (int i = 0; i < n; ++i) x.v[i] = w_merged * x.v[i] + w_part * y.v[i];
    if (m.out)
      store(m.out + row * m.out_stride + c, x);
    else
      store(merged + c, x);
  });
  __syncwarp();  // every lane has read the lse
  if (!m.out && threadIdx.x % warp_size == 0) m.merged_lse[row] = lse;
}

}  // namespace

void attention_merge(Device& device, const AttentionMerge& a) {
  with_dtype<float, bf16>("attention_merge", a.part.dtype, [&]<class T>(T) {
    with_vec_width(all_vectorizable(a.merged, a.part, a.out), [&](auto n) {
      launch(device, dim3(static_cast<unsigned>(ceil_div(a.part.rows(), block_rows))), threads, 0,
             merge_rows<n, gpu_t<T>>,
             Merge<gpu_t<T>>{.merged = data<float>(a.merged),
                             .merged_lse = data<float>(a.merged_lse),
                             .part = data<T>(a.part),
                             .part_lse = data<float>(a.part_lse),
                             .out = data<T>(a.out),
                             .merged_stride = a.merged.row_stride,
                             .part_stride = a.part.row_stride,
                             .out_stride = a.out.row_stride,
                             .rows = a.part.rows(),
                             .Dv = static_cast<int>(a.part.cols()),
                             .first = a.first});
    });
  });
}

}  // namespace fathom::cuda
