#include "ops/linear.h"

namespace fathom {
namespace {

// Logits, their gradient and the router's weight may be f32 with bf16 activations.
void expect_dtype(const char* field, const Tensor& t, DType activation) {
  check(t.dtype == activation || (t.dtype == DType::f32 && activation == DType::bf16),
        "{} is {}, expected {}{}", field, name_of(t.dtype), name_of(activation),
        activation == DType::bf16 ? " or f32" : "");
}

// With an f32 weight the outputs are f32 too.
void expect_weight(const Weight& w, const char* field, const Tensor& outputs, DType activation) {
  expect_dtype("linear w", w.data, activation);
  expect_dtype(field, outputs, activation);
  check(w.dtype() == activation || outputs.dtype == w.dtype(), "{} is {}, expected {} as w", field,
        name_of(outputs.dtype), name_of(w.dtype()));
}

}  // namespace

void linear_forward(Device& device, const LinearForward& a) {
  Dim N{"N"}, I{"I"}, O{"O"};
  expect("linear x", a.x, {N, I});
  expect("linear w", a.w.data, {O, I});
  expect("linear out", a.out, {N, O});
  expect_weight(a.w, "linear out", a.out, a.x.dtype);
  if (a.bias) expect("linear bias", a.bias, {O}, a.x.dtype);
  check(!a.bias || !a.accumulate, "linear bias is given: it has no meaning where out is added to");
  FATHOM_DISPATCH(linear_forward, device, a, (a.accumulate ? 2 : 1) * moves(a.out) + moves(a.x, a.w.data),
                  2.0 * N * I * O)
}

void linear_backward_input(Device& device, const LinearBackwardInput& a) {
  Dim N{"N"}, I{"I"}, O{"O"};
  expect("linear dx", a.dx, {N, I});
  expect("linear w", a.w.data, {O, I});
  expect("linear dout", a.dout, {N, O});
  expect_weight(a.w, "linear dout", a.dout, a.dx.dtype);
  FATHOM_DISPATCH(linear_backward_input, device, a,
                  (a.accumulate ? 2 : 1) * moves(a.dx) + moves(a.dout, a.w.data), 2.0 * N * I * O)
}

void linear_backward_weight(Device& device, const LinearBackwardWeight& a) {
  Dim N{"N"}, I{"I"}, O{"O"};
  expect("linear x", a.x, {N, I});
  expect("linear dout", a.dout, {N, O});
  expect_dtype("linear dout", a.dout, a.x.dtype);
  expect("linear dw", a.dw, {O, I}, stat_of(a.x.dtype));
  if (a.dbias) expect("linear dbias", a.dbias, {O}, stat_of(a.x.dtype));
  FATHOM_DISPATCH(linear_backward_weight, device, a,
                  (a.accumulate ? 2 : 1) * moves(a.dw) + moves(a.dout, a.x), 2.0 * N * I * O)
}

}  // namespace fathom
