#include "ops/cross_entropy.h"

#include <cmath>

namespace fathom {
namespace {

// Kernels multiply by the inverse, in f32.
bool invertible(double temperature) {
  const float inverse = static_cast<float>(1 / temperature);
  return temperature > 0 && std::isnormal(inverse) && std::isnormal(static_cast<float>(temperature));
}

}  // namespace

void cross_entropy(Device& device, const CrossEntropy& a) {
  Dim N{"N"}, V{"V"};
  expect("cross_entropy logits", a.logits, {N, V});
  expect("cross_entropy losses", a.losses, {N}, a.logits.dtype);
  expect("cross_entropy targets", a.targets, {N}, DType::i32);
  if (a.weights) expect("cross_entropy weights", a.weights, {N}, a.logits.dtype);
  if (a.entropies) expect("cross_entropy entropies", a.entropies, {N}, a.logits.dtype);
  if (a.dlogits) {
    const bool narrow = a.logits.dtype == DType::f32 && a.dlogits.dtype == DType::bf16;
    expect("cross_entropy dlogits", a.dlogits, {N, V}, narrow ? DType::bf16 : a.logits.dtype);
    check(!narrow || a.dlogits.data != a.logits.data,
          "cross_entropy: dlogits aliases logits of another type");
  }
  check(invertible(a.temperature), "cross_entropy: temperature is {}, which is not a positive number",
        a.temperature);
  const double operations = 3.0 + (a.dlogits ? 3 : 0) + (a.entropies ? 2 : 0);
  FATHOM_DISPATCH(cross_entropy, device, a, moves(a.logits, a.dlogits), operations * N * V)
}

}  // namespace fathom
