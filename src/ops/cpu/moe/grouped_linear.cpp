// The experts' GEMMs run as one batch: all threads share an expert with many rows, and empty experts cost
// nothing.
#include "ops/grouped_linear.h"

#include <algorithm>

#include "ops/cpu/matmul/gemm.h"

namespace fathom::cpu {
namespace {

// Runs gemm_of(expert, first row, rows) of every expert that has rows; with `empty_too` of the others as
// well.
template <class GemmOf>
void run_experts(const char* op, Device& device, const Tensor& x, const Tensor& offsets,
                 const GemmOf& gemm_of, bool empty_too = false) {
  with_dtype<float, bf16>(op, x.dtype, [](auto) {});
  const int32_t* begin = offsets.as<int32_t>();
  const int64_t E = offsets.cols() - 1;
  Gemm* batch = static_cast<Gemm*>(device.scratch(0, std::max<int64_t>(E, 1) * sizeof(Gemm)));
  int64_t n = 0;
  for (int64_t e = 0; e < E; ++e)
    if (begin[e + 1] > begin[e] || empty_too)
      new (batch + n++) Gemm(gemm_of(e, begin[e], begin[e + 1] - begin[e]));
  gemm_batch(device, {batch, static_cast<size_t>(n)});
}

}  // namespace

void grouped_linear_forward(Device& device, const GroupedLinearForward& a) {
  run_experts("grouped_linear_forward", device, a.x, a.offsets, [&](int64_t e, int64_t begin, int64_t rows) {
    const Tensor out = a.out.slice(begin, rows);
    return Gemm{.M = rows,
                .N = a.out.cols(),
                .K = a.x.cols(),
                .a = matrix(a.x.slice(begin, rows)),
                .b = transposed(a.w.data[e]),
                .c = out.data,
                .c_dtype = out.dtype,
                .c_stride = out.row_stride,
                .accumulate = a.accumulate};
  });
}

void grouped_linear_backward_input(Device& device, const GroupedLinearBackwardInput& a) {
  run_experts("grouped_linear_backward_input", device, a.dx, a.offsets,
              [&](int64_t e, int64_t begin, int64_t rows) {
                const Tensor dx = a.dx.slice(begin, rows);
                return Gemm{.M = rows,
                            .N = a.dx.cols(),
                            .K = a.dout.cols(),
                            .a = matrix(a.dout.slice(begin, rows)),
                            .b = matrix(a.w.data[e]),
                            .c = dx.data,
                            .c_dtype = dx.dtype,
                            .c_stride = dx.row_stride,
                            .accumulate = a.accumulate};
              });
}

void grouped_linear_backward_weight(Device& device, const GroupedLinearBackwardWeight& a) {
  run_experts(
      "grouped_linear_backward_weight", device, a.x, a.offsets,
      [&](int64_t e, int64_t begin, int64_t rows) {
        const Tensor dw = a.dw[e];
        return Gemm{.M = a.dout.cols(),
                    .N = a.x.cols(),
                    .K = rows,
                    .a = transposed(a.dout.slice(begin, rows)),
                    .b = matrix(a.x.slice(begin, rows)),
                    .c = dw.data,
                    .c_stride = dw.row_stride,
                    .accumulate = a.accumulate};
      },
      !a.accumulate);
}

}  // namespace fathom::cpu
