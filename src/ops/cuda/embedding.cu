// The gradient of a table row is the sum over the tokens that read it, in their order: tokens are sorted by
// id (stably), and the block at the first token of each id adds up the row.
#include "ops/embedding.h"

#include <cub/device/device_radix_sort.cuh>

#include "ops/cuda/vec.cuh"

namespace fathom::cuda {
namespace {

constexpr int threads = 256;

template <int n, class T>
__global__ void look_up(T* out, int64_t out_stride, const int32_t* ids, const T* table, int64_t table_stride,
                        int64_t N, int64_t C) {
  wait_for_previous_kernel();
  const int64_t per_row = C / n, i = static_cast<int64_t>(blockIdx.x) * threads + threadIdx.x;
  if (i >= N * per_row) return;
  const int64_t row = i / per_row, c = i % per_row * n;
  store(out + row * out_stride + c, load<n>(table + ids[row] * table_stride + c));
}

__global__ void iota(int32_t* order, int64_t N) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * threads + threadIdx.x;
  if (i < N) order[i] = static_cast<int32_t>(i);
}

// Block (i, columns): if position i is the first of its id, adds that id's tokens to these columns of the
// row.
template <class T>
__global__ void add_rows_of_id(float* dtable, int64_t table_stride, const int32_t* sorted,
                               const int32_t* order, const T* dout, int64_t stride, int64_t N, int64_t C) {
  const int64_t begin = blockIdx.x, c = static_cast<int64_t>(blockIdx.y) * threads + threadIdx.x;
  const int32_t id = sorted[begin];
  if ((begin > 0 && sorted[begin - 1] == id) || c >= C) return;
  float sum = dtable[id * table_stride + c];
  for (int64_t i = begin; i < N && sorted[i] == id; ++i) sum += to_float(dout[order[i] * stride + c]);
  dtable[id * table_stride + c] = sum;
}

}  // namespace

void embedding_forward(Device& device, const EmbeddingForward& a) {
  with_dtype<float, bf16>("embedding_forward", a.out.dtype, [&]<class T>(T) {
    with_vec_width(all_vectorizable(a.out, a.table.data), [&](auto n) {
      launch_chained(device, dim3(static_cast<unsigned>(ceil_div(a.out.count() / n, threads))), threads, 0,
                     look_up<n, gpu_t<T>>, data<T>(a.out), a.out.row_stride, data<int32_t>(a.ids),
                     data<T>(a.table.data), a.table.data.row_stride, a.out.rows(), a.out.cols());
    });
  });
}

void embedding_backward(Device& device, const EmbeddingBackward& a) {
  const int64_t N = a.dout.rows(), C = a.dout.cols();
  if (N == 0) return;
  const cudaStream_t stream = device.cuda_context().stream();
  int bits = 1;
  while (bits < 31 && (int64_t{1} << bits) < a.dtable.rows()) ++bits;
  size_t sort_bytes = 0;
  const auto sort = [&](void* memory, const int32_t* ids, int32_t* sorted, const int32_t* from,
                        int32_t* order) {
    cuda_check(
        cub::DeviceRadixSort::SortPairs(memory, sort_bytes, ids, sorted, from, order, N, 0, bits, stream),
        "sorting token ids");
  };
  sort(nullptr, nullptr, nullptr, nullptr, nullptr);
  const auto lay_out = [&](Workspace& p) {
    return std::tuple(p.take<int32_t>(N), p.take<int32_t>(N), p.take<int32_t>(N),
                      p.take<std::byte>(static_cast<int64_t>(sort_bytes)));
  };
  Workspace sizes;
  lay_out(sizes);
  Workspace workspace(device.cuda_context().workspace(sizes.bytes()));
  const auto [from, order, sorted, memory] = lay_out(workspace);
  launch(device, dim3(static_cast<unsigned>(ceil_div(N, threads))), threads, 0, iota, from, N);
  sort(memory, data<int32_t>(a.ids), sorted, from, order);
  with_dtype<float, bf16>("embedding_backward", a.dout.dtype, [&]<class T>(T) {
    const dim3 grid(static_cast<unsigned>(N), static_cast<unsigned>(ceil_div(C, threads)));
    launch(device, grid, threads, 0, add_rows_of_id<gpu_t<T>>, data<float>(a.dtable), a.dtable.row_stride,
           sorted, order, data<T>(a.dout), a.dout.row_stride, N, C);
  });
}

}  // namespace fathom::cuda
