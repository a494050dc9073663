#include "ops/cuda/hopper/tensor_map.h"

#include <cudaTypedefs.h>
#include <cuda_runtime_api.h>

#include "base/error.h"
#include "tensor/cuda/context.h"

namespace fathom::cuda {
namespace {

// Resolved at run time, so that the program does not link to the driver library.
PFN_cuTensorMapEncodeTiled_v12000 find_encode_function() {
  void* entry = nullptr;
  cudaDriverEntryPointQueryResult found{};
  constexpr unsigned cuda_12 = 12000;
  cuda_check(
      cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &entry, cuda_12, cudaEnableDefault, &found),
      "looking for cuTensorMapEncodeTiled");
  check(found == cudaDriverEntryPointSuccess,
        "the NVIDIA driver has no cuTensorMapEncodeTiled: it is older than CUDA 12");
  return reinterpret_cast<PFN_cuTensorMapEncodeTiled_v12000>(entry);
}

}  // namespace

CUtensorMap make_tensor_map(const MatrixBatch& m, int box_rows) {
  if (m.rows == 0) return {};
  static const auto encode = find_encode_function();
  const auto element = static_cast<cuuint64_t>(size_of(m.dtype));
  const cuuint64_t shape[] = {static_cast<cuuint64_t>(m.cols), static_cast<cuuint64_t>(m.rows),
                              static_cast<cuuint64_t>(m.count)};
  const int64_t matrix_stride = m.count > 1 ? m.matrix_stride : m.rows * m.row_stride;
  const cuuint64_t strides[] = {static_cast<cuuint64_t>(m.row_stride) * element,
                                static_cast<cuuint64_t>(matrix_stride) * element};
  const cuuint32_t box[] = {static_cast<cuuint32_t>(128 / element), static_cast<cuuint32_t>(box_rows), 1},
                   element_strides[] = {1, 1, 1};
  CUtensorMap map;
  const CUresult status = encode(
      &map, m.dtype == DType::f32 ? CU_TENSOR_MAP_DATA_TYPE_FLOAT32 : CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 3,
      const_cast<void*>(m.data), shape, strides, box, element_strides, CU_TENSOR_MAP_INTERLEAVE_NONE,
      CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  check(status == CUDA_SUCCESS, "cuTensorMapEncodeTiled refused {} matrices of {} x {}: CUDA driver error {}",
        m.count, m.rows, m.cols, static_cast<int>(status));
  return map;
}

}  // namespace fathom::cuda
