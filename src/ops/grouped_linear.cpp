#include "ops/grouped_linear.h"

#include <algorithm>

namespace fathom {
namespace {

void check_offsets(const Device& device, const Tensor& offsets, int64_t M) {
  if (!device.on_host()) return;
  const int32_t* begin = offsets.as<int32_t>();
  const int64_t E = offsets.cols() - 1;
  check(E >= 0 && begin[0] == 0, "grouped_linear offsets must start with 0");
  for (int64_t e = 0; e < E; ++e)
    check(begin[e + 1] >= begin[e] && begin[e + 1] <= M,
          "grouped_linear offsets[{}] is {}, expected {} to {}", e + 1, begin[e + 1], begin[e], M);
}

// Few rows meet few experts.
double used_weights(const Tensor& w, int64_t M) {
  const int64_t E = w.shape[0];
  return moves(w) * static_cast<double>(std::min(M, E)) / static_cast<double>(std::max<int64_t>(E, 1));
}

}  // namespace

void grouped_linear_forward(Device& device, const GroupedLinearForward& a) {
  Dim M{"M"}, I{"I"}, O{"O"}, E{"E"};
  expect("grouped_linear x", a.x, {M, I});
  expect("grouped_linear w", a.w.data, {E, O, I}, a.x.dtype);
  expect("grouped_linear out", a.out, {M, O}, a.x.dtype);
  Dim bounds{"E+1", E + 1};
  expect("grouped_linear offsets", a.offsets, {bounds}, DType::i32);
  check_offsets(device, a.offsets, M);
  FATHOM_DISPATCH(grouped_linear_forward, device, a, moves(a.out, a.x) + used_weights(a.w.data, M),
                  2.0 * M * I * O)
}

void grouped_linear_backward_input(Device& device, const GroupedLinearBackwardInput& a) {
  Dim M{"M"}, I{"I"}, O{"O"}, E{"E"};
  expect("grouped_linear dx", a.dx, {M, I});
  expect("grouped_linear w", a.w.data, {E, O, I}, a.dx.dtype);
  expect("grouped_linear dout", a.dout, {M, O}, a.dx.dtype);
  Dim bounds{"E+1", E + 1};
  expect("grouped_linear offsets", a.offsets, {bounds}, DType::i32);
  check_offsets(device, a.offsets, M);
  FATHOM_DISPATCH(grouped_linear_backward_input, device, a, moves(a.dx, a.dout) + used_weights(a.w.data, M),
                  2.0 * M * I * O)
}

void grouped_linear_backward_weight(Device& device, const GroupedLinearBackwardWeight& a) {
  Dim M{"M"}, I{"I"}, O{"O"}, E{"E"};
  expect("grouped_linear x", a.x, {M, I});
  expect("grouped_linear dout", a.dout, {M, O}, a.x.dtype);
  expect("grouped_linear dw", a.dw, {E, O, I}, stat_of(a.x.dtype));
  Dim bounds{"E+1", E + 1};
  expect("grouped_linear offsets", a.offsets, {bounds}, DType::i32);
  check_offsets(device, a.offsets, M);
  FATHOM_DISPATCH(grouped_linear_backward_weight, device, a, 2 * moves(a.dw) + moves(a.dout, a.x),
                  2.0 * M * I * O)
}

}  // namespace fathom
