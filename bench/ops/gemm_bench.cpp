// Dense and grouped projections: the three forms of training, a few rows as in decoding, experts, absorption.
#include "bench/ops/rows.h"
#include "ops/absorb.h"
#include "ops/grouped_linear.h"
#include "ops/linear.h"

namespace fathom::bench {
namespace {

double product_flops(int64_t a, int64_t b, int64_t c) {
  return 2.0 * static_cast<double>(a) * static_cast<double>(b) * static_cast<double>(c);
}
double bytes_of(std::initializer_list<Tensor> tensors) {
  int64_t bytes = 0;
  for (const Tensor& t : tensors) bytes += t.bytes();
  return static_cast<double>(bytes);
}

void linear_shape(Bench& b, DType t, int64_t N, int64_t O, int64_t I) {
  const std::string shape = fmt::format(" {}x{}x{} {}", N, O, I, name_of(t));
  const double flops = product_flops(N, O, I);
  const Tensor x = b.random(t, {N, I}), w = b.random(t, {O, I}), dout = b.random(t, {N, O});
  const Tensor dw = b.zeros(DType::f32, {O, I});
  b.row("linear_forward" + shape, bytes_of({x, w, dout}), flops,
        [&] { linear_forward(b.device(), {.out = dout, .x = x, .w = w}); });
  if (N < 16) return b.clear();
  b.row("linear_backward_input" + shape, bytes_of({x, w, dout}), flops,
        [&] { linear_backward_input(b.device(), {.dx = x, .dout = dout, .w = w}); });
  b.row("linear_backward_weight" + shape, bytes_of({x, dout, dw, dw}), flops,
        [&] { linear_backward_weight(b.device(), {.dw = dw, .dout = dout, .x = x}); });
  b.clear();
}

// About M / E rows per expert, unevenly.
void grouped_shape(Bench& b, DType t, int64_t E, int64_t M, int64_t O, int64_t I) {
  const std::string shape = fmt::format(" {} experts {}x{}x{} {}", E, M, O, I, name_of(t));
  const double flops = product_flops(M, O, I);
  const Tensor x = b.random(t, {M, I}), w = b.random(t, {E, O, I}), dout = b.random(t, {M, O});
  const Tensor dw = b.zeros(DType::f32, {E, O, I});
  const Tensor offsets = b.integers(
      {E + 1}, [&](int64_t e) { return e == E ? M : (e * M + (e * 5 % 7 - 3) * M / 16 * (e > 0)) / E; });
  b.row("grouped_linear_forward" + shape, bytes_of({x, w, dout}), flops,
        [&] { grouped_linear_forward(b.device(), {.out = dout, .x = x, .w = w, .offsets = offsets}); });
  b.row("grouped_linear_backward_input" + shape, bytes_of({x, w, dout}), flops, [&] {
    grouped_linear_backward_input(b.device(), {.dx = x, .dout = dout, .w = w, .offsets = offsets});
  });
  b.row("grouped_linear_backward_weight" + shape, bytes_of({x, dout, dw, dw}), flops, [&] {
    grouped_linear_backward_weight(b.device(), {.dw = dw, .dout = dout, .x = x, .offsets = offsets});
  });
  b.clear();
}

void absorb_shape(Bench& b, DType t, int64_t N) {
  constexpr int64_t H = 16, Dn = 128, Dv = 128, Rkv = 512;  // DeepSeek-V2-Lite
  const std::string shape = fmt::format(" {}x{} heads {}", N, H, name_of(t));
  const Tensor q = b.random(t, {N, H, Dn}), latent = b.random(t, {N, H, Rkv}),
               kv_b = b.random(t, {H, Dn + Dv, Rkv});
  const double bytes = bytes_of({q, latent, kv_b.slice(0, H / 2)}), flops = product_flops(N * H, Dn, Rkv);
  b.row("absorb_query" + shape, bytes, flops,
        [&] { absorb_query(b.device(), {.q_latent = latent, .q_nope = q, .kv_b = kv_b}); });
  b.row("absorb_output" + shape, bytes, flops,
        [&] { absorb_output(b.device(), {.out = q, .ctx = latent, .kv_b = kv_b}); });
  b.clear();
}

}  // namespace

void gemm_rows(Bench& b) {
  const bool on_gpu = !b.device().on_host();
  for (DType t : {DType::f32, DType::bf16}) {
    if (b.wants("linear"))
      for (int64_t n : {512, 1024, 2048}) linear_shape(b, t, n, n, n);
    if (b.wants("linear") && on_gpu && t == DType::bf16) linear_shape(b, t, 16384, 2048, 1024);
    if (b.wants("linear_forward"))
      for (int64_t rows : {1, 2, 4, 8, 16}) linear_shape(b, t, rows, 10944, 2048);
    if (b.wants("grouped_linear")) {
      grouped_shape(b, t, 16, 4096, 512, 352);
      grouped_shape(b, t, 64, 384, 1408, 2048);
      if (on_gpu && t == DType::bf16) {
        grouped_shape(b, t, 32, 98304, 1024, 1024);  // a training step of bench/configs/moe-1b.json
        grouped_shape(b, t, 64, 12288, 2816, 2048);  // 2048 tokens of a prompt of DeepSeek-V2-Lite
      }
    }
    if (b.wants("absorb"))
      for (int64_t rows : {1, 8, 64}) absorb_shape(b, t, rows);
  }
}

}  // namespace fathom::bench
