#include "ops/rmsnorm.h"

#include "bench/ops/rows.h"

namespace fathom::bench {

void rmsnorm_rows(Bench& b) {
  constexpr int64_t N = 4096, C = 2048;
  if (!b.wants("rmsnorm")) return;
  for (DType t : {DType::f32, DType::bf16}) {
    const Tensor x = b.random(t, {N, C}), w = b.random(t, {C}), out = b.random(t, {N, C});
    const Tensor rstd = b.random(DType::f32, {N}), dw = b.zeros(DType::f32, {C}), dx = b.random(t, {N, C});
    const std::string shape = fmt::format(" {}x{} {}", N, C, name_of(t));
    const double one = static_cast<double>(x.bytes()), elements = static_cast<double>(x.count());
    b.row("rmsnorm_forward" + shape, 2 * one, 4 * elements,
          [&] { rmsnorm_forward(b.device(), {.out = out, .rstd = rstd, .x = x, .w = w}); });
    b.row("rmsnorm_backward" + shape, 3 * one, 10 * elements, [&] {
      rmsnorm_backward(b.device(), {.dx = dx, .dw = dw, .dout = out, .x = x, .w = w, .rstd = rstd});
    });
  }
}

}  // namespace fathom::bench
