#include "ops/grouped_swiglu.h"

#include "ops/grouped_rows.h"

namespace fathom {
namespace {

void check_rows(const Device& device, const GroupedSwiglu& a) {
  check_offsets("grouped_swiglu", device, a.offsets, a.out.rows());
  if (!device.on_host()) return;
  const int32_t end = a.offsets.as<int32_t>()[a.offsets.cols() - 1];
  check(end == a.out.rows(), "grouped_swiglu offsets end at {}, expected all {} rows", end, a.out.rows());
  for (int64_t m = 0; m < a.out.rows(); ++m) {
    const int32_t token = a.token_of.as<int32_t>()[m];
    check(token >= 0 && token < a.x.rows(), "grouped_swiglu token_of[{}] is {}, expected 0 to {}", m, token,
          a.x.rows() - 1);
  }
}

}  // namespace

void grouped_swiglu(Device& device, const GroupedSwiglu& a) {
  Dim M{"M"}, N{"N"}, C{"C"}, F{"F"}, E{"E"};
  expect("grouped_swiglu out", a.out, {M, F});
  expect("grouped_swiglu x", a.x, {N, C}, a.out.dtype);
  Dim F2{"2F", 2 * F.size()};
  expect("grouped_swiglu w", a.w.data, {E, F2, C}, a.out.dtype);
  expect("grouped_swiglu token_of", a.token_of, {M}, DType::i32);
  Dim bounds{"E+1", E + 1};
  expect("grouped_swiglu offsets", a.offsets, {bounds}, DType::i32);
  expect("grouped_swiglu rows", a.rows, {M, C}, a.out.dtype);
  expect("grouped_swiglu gate_up", a.gate_up, {M, F2}, a.out.dtype);
  check_rows(device, a);
  FATHOM_DISPATCH(grouped_swiglu, device, a, moves(a.out, a.x) + used_weights(a.w.data, M), 4.0 * M * F * C)
}

}  // namespace fathom
