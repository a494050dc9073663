// Embedding, rope, SwiGLU and the residual stream at DeepSeek-V2-Lite's size.
#include "bench/ops/rows.h"
#include "ops/embedding.h"
#include "ops/residual_add.h"
#include "ops/rope.h"
#include "ops/swiglu.h"

namespace fathom::bench {
namespace {

void embedding_rows(Bench& b, DType t) {
  constexpr int64_t N = 4096, C = 2048, V = 20000;
  const Tensor ids = b.integers({N}, [](int64_t i) { return static_cast<int32_t>(i * i % V); });
  const Tensor table = b.random(t, {V, C}), dtable = b.zeros(DType::f32, {V, C}), out = b.zeros(t, {N, C});
  const std::string shape = fmt::format(" {}x{} {}", N, C, name_of(t));
  const double one = static_cast<double>(out.bytes());
  b.row("embedding_forward" + shape, 2 * one, 0,
        [&] { embedding_forward(b.device(), {.out = out, .ids = ids, .table = table}); });
  b.row("embedding_backward" + shape, one + 8.0 * N * C, 1.0 * N * C,
        [&] { embedding_backward(b.device(), {.dtable = dtable, .ids = ids, .dout = out}); });
}

void rope_table_row(Bench& b) {
  constexpr int64_t N = 4096, Dr = 64;
  std::vector<double> frequencies(Dr / 2, 0.01);
  const Tensor cos_sin = b.zeros(DType::f32, {N, Dr}),
               positions = b.integers({N}, [](int64_t i) { return static_cast<int32_t>(i); });
  b.row(fmt::format("rope_table {}x{}", N, Dr), static_cast<double>(cos_sin.bytes()), 0, [&] {
    rope_table(b.device(), {.cos_sin = cos_sin,
                            .positions = positions,
                            .inv_freq = Tensor(frequencies.data(), DType::f64, {Dr / 2})});
  });
}

void rope_rows(Bench& b, DType t) {
  constexpr int64_t N = 4096, H = 16, Dn = 128, Dr = 64;
  const Tensor q = b.random(t, {N, H, Dn + Dr}), x = q.columns(Dn, Dr),
               cos_sin = b.random(DType::f32, {N, Dr});
  b.row(fmt::format("rope {}x{}x{} {}", N, H, Dr, name_of(t)), static_cast<double>(2 * x.bytes()),
        3.0 * N * H * Dr, [&] { rope(b.device(), {.x = x, .cos_sin = cos_sin}); });
}

void swiglu_rows(Bench& b, DType t) {
  constexpr int64_t N = 4096, F = 1408;
  const Tensor gate_up = b.random(t, {N, 2 * F}), out = b.random(t, {N, F}),
               dgate_up = b.zeros(t, {N, 2 * F});
  const std::string shape = fmt::format(" {}x{} {}", N, F, name_of(t));
  const double one = static_cast<double>(out.bytes());
  b.row("swiglu_forward" + shape, 3 * one, 0,
        [&] { swiglu_forward(b.device(), {.out = out, .gate_up = gate_up}); });
  b.row("swiglu_backward" + shape, 5 * one, 0,
        [&] { swiglu_backward(b.device(), {.dgate_up = dgate_up, .dout = out, .gate_up = gate_up}); });
}

void residual_rows(Bench& b, DType t) {
  constexpr int64_t N = 4096, C = 2048;
  const Tensor stream = b.zeros(t, {N, C}), x = b.random(t, {N, C}, 1e-3);
  b.row(fmt::format("residual_add {}x{} {}", N, C, name_of(t)), static_cast<double>(3 * x.bytes()),
        static_cast<double>(x.count()), [&] { residual_add(b.device(), {.stream = stream, .x = x}); });
}

}  // namespace

void pointwise_rows(Bench& b) {
  rope_table_row(b);
  for (DType t : {DType::f32, DType::bf16}) {
    embedding_rows(b, t);
    rope_rows(b, t);
    swiglu_rows(b, t);
    residual_rows(b, t);
    b.clear();
  }
}

}  // namespace fathom::bench
