#include "ops/adamw.h"

namespace fathom {
namespace {

void expect_like_w(const char* field, const Tensor& t, const Tensor& w, DType dtype) {
  const bool same = (t || t.count() == 0) && t.rank == w.rank && t.shape == w.shape && t.dtype == dtype;
  check(same && t.contiguous(), "adamw {} is {}, expected a contiguous {} like w {}", field, t.shape_text(),
        name_of(dtype), w.shape_text());
}

}  // namespace

void adamw(Device& device, const AdamW& a) {
  expect_like_w("w", a.w, a.w, a.w.dtype);
  const DType stat = stat_of(a.w.dtype);
  if (a.w.dtype == stat)
    check(!a.master, "adamw: a master copy of {} weights", name_of(stat));
  else
    expect_like_w("master", a.master, a.w, stat);
  expect_like_w("grad", a.grad, a.w, stat);
  expect_like_w("m", a.m, a.w, stat);
  expect_like_w("v", a.v, a.w, stat);
  check(a.step >= 1, "adamw: step is {}, counted from 1", a.step);
  FATHOM_DISPATCH(
      adamw, device, a,
      moves(a.grad) + 2 * moves(a.m, a.v) + moves(a.w) + (a.master ? 2 * moves(a.master) : moves(a.w)),
      15.0 * a.w.count())
}

}  // namespace fathom
