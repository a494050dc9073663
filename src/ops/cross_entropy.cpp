#include "ops/cross_entropy.h"

namespace fathom {

void cross_entropy(Device& device, const CrossEntropy& a) {
  Dim N{"N"}, V{"V"};
  expect("cross_entropy logits", a.logits, {N, V});
  expect("cross_entropy losses", a.losses, {N}, a.logits.dtype);
  expect("cross_entropy targets", a.targets, {N}, DType::i32);
  if (a.dlogits) {
    const bool narrow = a.logits.dtype == DType::f32 && a.dlogits.dtype == DType::bf16;
    expect("cross_entropy dlogits", a.dlogits, {N, V}, narrow ? DType::bf16 : a.logits.dtype);
    check(!narrow || a.dlogits.data != a.logits.data,
          "cross_entropy: dlogits aliases logits of another type");
  }
  FATHOM_DISPATCH(cross_entropy, device, a, moves(a.logits, a.dlogits), (a.dlogits ? 6.0 : 3.0) * N * V)
}

}  // namespace fathom
