#include "ops/embedding.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/embedding.cpp"
#include <hwy/foreach_target.h>
// must come after foreach_target
#include "ops/cpu/simd_math.h"

#include <cstring>

HWY_BEFORE_NAMESPACE();
namespace fathom::cpu::HWY_NAMESPACE {

void embedding_forward(Device& device, const EmbeddingForward& a) {
  with_dtype<float, bf16>("embedding_forward", a.out.dtype, [&]<class T>(T) {
    parallel_ranges(device.threads(), a.out.rows(), 1, [&](int, int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n)
        std::memcpy(a.out.row<T>(n), a.table.data.row<T>(a.ids.as<int32_t>()[n]), a.out.cols() * sizeof(T));
    });
  });
}

namespace {

template <class T>
void add_rows(const EmbeddingBackward& a, int64_t begin, int64_t end) {
  const F32 d;
  for (int64_t n = 0; n < a.dout.rows(); ++n) {
    const T* dout = a.dout.row<T>(n) + begin;
    float* row = a.dtable.row<float>(a.ids.as<int32_t>()[n]) + begin;
    for_each_vector(end - begin, [&](int64_t c, auto part) HWY_ATTR {
      store(d, hn::Add(load(d, row + c, part), load(d, dout + c, part)), row + c, part);
    });
  }
}

}  // namespace

// Threads divide the columns, so that every element is summed in the order of n.
void embedding_backward(Device& device, const EmbeddingBackward& a) {
  with_dtype<float, bf16>("embedding_backward", a.dout.dtype, [&]<class T>(T) {
    parallel_ranges(device.threads(), a.dout.cols(), 16,
                    [&](int, int64_t begin, int64_t end) { add_rows<T>(a, begin, end); });
  });
}

}  // namespace fathom::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fathom::cpu {
FATHOM_SIMD_OP(embedding_forward, EmbeddingForward)
FATHOM_SIMD_OP(embedding_backward, EmbeddingBackward)
}  // namespace fathom::cpu
#endif
