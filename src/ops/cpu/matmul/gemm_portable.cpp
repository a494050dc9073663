// The portable f32 micro-kernel: plain C++, 4x8 tiles in vectors of four, for any processor.
#include <algorithm>

#include "ops/cpu/matmul/micro_kernel.h"

namespace fathom::cpu {
namespace {

constexpr int64_t mr = 4, nr = 8;
using Four = float __attribute__((vector_size(16), aligned(4), may_alias));

void tile(int64_t depth, const void* a_panel, const void* b_panel, float* c, int64_t c_stride, float alpha,
          bool add) {
  const float *a = static_cast<const float*>(a_panel), *b = static_cast<const float*>(b_panel);
  Four sum[mr][2] = {};
  for (int64_t k = 0; k < depth; ++k, a += mr, b += nr) {
    const Four b0 = *reinterpret_cast<const Four*>(b), b1 = *reinterpret_cast<const Four*>(b + 4);
#pragma GCC unroll 4
    for (int i = 0; i < mr; ++i) sum[i][0] += a[i] * b0, sum[i][1] += a[i] * b1;
  }
  for (int i = 0; i < mr; ++i)
    for (int j = 0; j < 2; ++j) {
      Four& out = *reinterpret_cast<Four*>(c + i * c_stride + 4 * j);
      out = add ? out + alpha * sum[i][j] : alpha * sum[i][j];
    }
}

template <int64_t W, class T>
void pack_panels(const PackSource& s, float* out) {
  const int64_t row_step = s.by_row ? s.stride : 1, depth_step = s.by_row ? 1 : s.stride;
  for (int64_t i = 0; i < s.rows; i += W) {
    const T* x = static_cast<const T*>(s.data) + i * row_step;
    const int64_t rows = std::min(W, s.rows - i);
    for (int64_t k = 0; k < s.depth; ++k, out += W)
      for (int64_t r = 0; r < W; ++r)
        out[r] = r < rows ? static_cast<float>(x[r * row_step + k * depth_step]) : 0.0f;
  }
}

template <int64_t W>
void pack(const PackSource& s, void* panels) {
  if (s.dtype == DType::bf16)
    pack_panels<W, bf16>(s, static_cast<float*>(panels));
  else
    pack_panels<W, float>(s, static_cast<float*>(panels));
}

}  // namespace

const MicroKernel& portable_kernel() {
  static constexpr MicroKernel kernel = {.mr = mr,
                                         .nr = nr,
                                         .depth_unit = 1,
                                         .depth_block = 256,
                                         .row_block = 128,
                                         .element = 4,
                                         .pack_a = pack<mr>,
                                         .pack_b = pack<nr>,
                                         .tile = tile,
                                         .begin = nullptr,
                                         .end = nullptr};
  return kernel;
}

}  // namespace fathom::cpu
