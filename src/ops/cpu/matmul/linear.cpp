#include "ops/linear.h"

#include <algorithm>

#include "ops/cpu/matmul/gemm.h"

namespace fathom::cpu {
namespace {

void check_dtype(const char* op, DType dtype) {
  with_dtype<float, bf16>(op, dtype, [](auto) {});
}

// sums[o] (=|+=) x[0][o] + x[1][o] + ... for the columns begin..end-1.
template <class T>
void sum_rows(const Tensor& x, int64_t begin, int64_t end, float* sums, bool accumulate) {
  constexpr int64_t width = 64;
  for (; begin < end; begin += width) {
    const int64_t n = std::min(width, end - begin);
    float part[width] = {};
    for (int64_t r = 0; r < x.rows(); ++r) {
      const T* row = x.row<T>(r) + begin;
      for (int64_t i = 0; i < n; ++i) part[i] += static_cast<float>(row[i]);
    }
    for (int64_t i = 0; i < n; ++i) sums[begin + i] = accumulate ? sums[begin + i] + part[i] : part[i];
  }
}

}  // namespace

void linear_forward(Device& device, const LinearForward& a) {
  check_dtype("linear_forward", a.x.dtype);
  gemm(device, {.M = a.x.rows(),
                .N = a.w.data.rows(),
                .K = a.x.cols(),
                .a = matrix(a.x),
                .b = transposed(a.w.data),
                .c = a.out.data,
                .c_dtype = a.out.dtype,
                .c_stride = a.out.row_stride,
                .accumulate = a.accumulate,
                .bias = a.bias.data,
                .bias_dtype = a.bias.dtype});
}

void linear_backward_input(Device& device, const LinearBackwardInput& a) {
  check_dtype("linear_backward_input", a.dx.dtype);
  gemm(device, {.M = a.dx.rows(),
                .N = a.dx.cols(),
                .K = a.w.data.rows(),
                .a = matrix(a.dout),
                .b = matrix(a.w.data),
                .c = a.dx.data,
                .c_dtype = a.dx.dtype,
                .c_stride = a.dx.row_stride,
                .accumulate = a.accumulate});
}

void linear_backward_weight(Device& device, const LinearBackwardWeight& a) {
  check_dtype("linear_backward_weight", a.x.dtype);
  gemm(device, {.M = a.dw.rows(),
                .N = a.dw.cols(),
                .K = a.x.rows(),
                .a = transposed(a.dout),
                .b = matrix(a.x),
                .c = a.dw.data,
                .c_stride = a.dw.row_stride,
                .accumulate = a.accumulate});
  if (!a.dbias) return;
  with_dtype<float, bf16>("linear_backward_weight", a.dout.dtype, [&]<class T>(T) {
    parallel_ranges(device.threads(), a.dout.cols(), 64, [&](int, int64_t begin, int64_t end) {
      sum_rows<T>(a.dout, begin, end, a.dbias.as<float>(), a.accumulate);
    });
  });
}

}  // namespace fathom::cpu
