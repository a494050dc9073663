#include "ops/linear.h"

namespace fathom {
namespace {

// Logits and their gradient may stay f32 beside bf16 weights.
void expect_activation(const char* field, const Tensor& t, DType weight) {
  check(t.dtype == weight || (t.dtype == DType::f32 && weight == DType::bf16), "{} is {}, expected {}{}",
        field, name_of(t.dtype), name_of(weight), weight == DType::bf16 ? " or f32" : "");
}

}  // namespace

void linear_forward(Device& device, const LinearForward& a) {
  Dim N{"N"}, I{"I"}, O{"O"};
  expect("linear x", a.x, {N, I});
  expect("linear w", a.w, {O, I}, a.x.dtype);
  expect("linear out", a.out, {N, O});
  expect_activation("linear out", a.out, a.w.dtype);
  if (a.bias) expect("linear bias", a.bias, {O}, a.w.dtype);
  FATHOM_DISPATCH(linear_forward, device, a, moves(a.out, a.x, a.w), 2.0 * N * I * O)
}

void linear_backward_input(Device& device, const LinearBackwardInput& a) {
  Dim N{"N"}, I{"I"}, O{"O"};
  expect("linear dx", a.dx, {N, I});
  expect("linear w", a.w, {O, I}, a.dx.dtype);
  expect("linear dout", a.dout, {N, O});
  expect_activation("linear dout", a.dout, a.w.dtype);
  FATHOM_DISPATCH(linear_backward_input, device, a, moves(a.dx, a.dout, a.w), 2.0 * N * I * O)
}

void linear_backward_weight(Device& device, const LinearBackwardWeight& a) {
  Dim N{"N"}, I{"I"}, O{"O"};
  expect("linear x", a.x, {N, I});
  expect("linear dout", a.dout, {N, O});
  expect_activation("linear dout", a.dout, a.x.dtype);
  expect("linear dw", a.dw, {O, I}, stat_of(a.x.dtype));
  if (a.dbias) expect("linear dbias", a.dbias, {O}, stat_of(a.x.dtype));
  FATHOM_DISPATCH(linear_backward_weight, device, a, 2 * moves(a.dw) + moves(a.dout, a.x), 2.0 * N * I * O)
}

}  // namespace fathom
