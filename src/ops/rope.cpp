#include "ops/rope.h"

namespace fathom {

void rope_table(Device& device, const RopeTable& a) {
  Dim N{"N"}, Half{"Dr/2"};
  expect("rope positions", a.positions, {N}, DType::i32);
  expect("rope inv_freq", a.inv_freq, {Half}, DType::f64);
  Dim Dr{"Dr", 2 * Half.size()};
  expect("rope cos_sin", a.cos_sin, {N, Dr});
  FATHOM_DISPATCH(rope_table, device, a, moves(a.cos_sin), 2.0 * N * Dr)
}

void rope(Device& device, const Rope& a) {
  Dim N{"N"}, H{"H"}, Dr{"Dr"};
  expect("rope x", a.x, {N, H, Dr});
  expect("rope cos_sin", a.cos_sin, {N, Dr}, stat_of(a.x.dtype));
  check(Dr % 2 == 0, "rope: Dr is {}, expected an even number", Dr.size());
  FATHOM_DISPATCH(rope, device, a, 2 * moves(a.x) + moves(a.cos_sin), 3.0 * N * H * Dr)
}

}  // namespace fathom
