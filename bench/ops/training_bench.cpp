// Initial weights, and what a training step does besides the layers: cross-entropy, sums of losses, gradient
// norm, AdamW.
#include "bench/ops/rows.h"
#include "ops/adamw.h"
#include "ops/cross_entropy.h"
#include "ops/fill_normal.h"
#include "ops/scale.h"
#include "ops/sum.h"
#include "ops/sum_squares.h"

namespace fathom::bench {
namespace {

void cross_entropy_rows(Bench& b) {
  constexpr int64_t N = 256, V = 102400;
  const Tensor logits = b.random(DType::f32, {N, V}), losses = b.zeros(DType::f32, {N}),
               entropies = b.zeros(DType::f32, {N});
  const Tensor targets = b.integers({N}, [](int64_t i) { return static_cast<int32_t>(i * 379); });
  const std::string shape = fmt::format("cross_entropy {}x{}", N, V);
  const double one = static_cast<double>(logits.bytes());
  b.row(shape + " loss only", one, 0,
        [&] { cross_entropy(b.device(), {.losses = losses, .logits = logits, .targets = targets}); });
  b.row(shape + " loss and entropies", one, 0, [&] {
    cross_entropy(
        b.device(),
        {.losses = losses, .entropies = entropies, .logits = logits, .targets = targets, .temperature = 0.7});
  });
  for (DType t : {DType::f32, DType::bf16}) {
    const Tensor dlogits = b.zeros(t, {N, V});
    b.row(fmt::format("{} dlogits {}", shape, name_of(t)), one + static_cast<double>(dlogits.bytes()), 0,
          [&] {
            cross_entropy(b.device(),
                          {.losses = losses, .dlogits = dlogits, .logits = logits, .targets = targets});
          });
  }
}

void adamw_rows(Bench& b) {
  constexpr int64_t P = 16 << 20;
  const Tensor w = b.zeros(DType::f32, {P}), rounded = b.zeros(DType::bf16, {P}),
               grad = b.random(DType::f32, {P}), m = b.zeros(DType::f32, {P}), v = b.zeros(DType::f32, {P});
  const AdamWTensor plain[] = {{.w = w, .grad = grad, .m = m, .v = v}},
                    with_master[] = {{.w = rounded, .master = w, .grad = grad, .m = m, .v = v}};
  b.row(fmt::format("adamw {}M f32", P >> 20), 28.0 * P, 0,
        [&] { adamw(b.device(), {.tensors = plain, .lr = 1e-4}); });
  b.row(fmt::format("adamw {}M bf16 with f32 master", P >> 20), 30.0 * P, 0,
        [&] { adamw(b.device(), {.tensors = with_master, .lr = 1e-4}); });
  const Tensor squares = b.zeros(DType::f64, {1}), sum_of_losses = b.zeros(DType::f64, {1});
  b.row(fmt::format("sum_squares {}M", P >> 20), 4.0 * P, 2.0 * P, [&] {
    sum_squares(b.device(), {.sum = squares, .all = {&grad, 1}});
  });
  const Tensor losses = b.random(DType::f32, {4096});
  b.row("sum 4096", static_cast<double>(losses.bytes()), 4096,
        [&] { sum(b.device(), {.sum = sum_of_losses, .x = losses}); });
  b.row(fmt::format("scale {}M", P >> 20), 8.0 * P, 1.0 * P,
        [&] { scale(b.device(), {.x = grad, .factor = 1}); });
}

}  // namespace

void training_rows(Bench& b) {
  for (DType t : {DType::f32, DType::bf16}) {
    const Tensor w = b.zeros(t, {int64_t{1} << 24});
    b.row(fmt::format("fill_normal {}M {}", w.count() >> 20, name_of(t)), static_cast<double>(w.bytes()), 0,
          [&] { fill_normal(b.device(), {.out = w, .std = 0.006, .seed = 1, .stream = 2}); });
  }
  b.clear();
  cross_entropy_rows(b);
  b.clear();
  adamw_rows(b);
}

}  // namespace fathom::bench
