#include "ops/adamw.h"

namespace fathom {
namespace {

void expect_like_w(const char* field, const Tensor& t, const Tensor& w, DType dtype) {
  const bool same = (t || t.count() == 0) && t.rank == w.rank && t.shape == w.shape && t.dtype == dtype;
  check(same && t.contiguous(), "adamw {} is {}, expected a contiguous {} like w {}", field, t.shape_text(),
        name_of(dtype), w.shape_text());
}

void check_tensor(const AdamWTensor& t, DType stat) {
  expect_like_w("w", t.w, t.w, t.w.dtype);
  check(stat_of(t.w.dtype) == stat, "adamw: weights of {} and of {} at once", name_of(t.w.dtype),
        name_of(stat));
  if (t.w.dtype == stat)
    check(!t.master, "adamw: a master copy of {} weights", name_of(stat));
  else
    expect_like_w("master", t.master, t.w, stat);
  expect_like_w("grad", t.grad, t.w, stat);
  expect_like_w("m", t.m, t.w, stat);
  expect_like_w("v", t.v, t.w, stat);
}

double bytes_of(const AdamW& a) {
  double bytes = 0;
  for (const AdamWTensor& t : a.tensors)
    bytes += moves(t.grad) + 2 * moves(t.m, t.v) + moves(t.w) + (t.master ? 2 * moves(t.master) : moves(t.w));
  return bytes;
}
double count_of(const AdamW& a) {
  double count = 0;
  for (const AdamWTensor& t : a.tensors) count += static_cast<double>(t.w.count());
  return count;
}

}  // namespace

void adamw(Device& device, const AdamW& a) {
  check(a.step >= 1, "adamw: step is {}, counted from 1", a.step);
  if (a.tensors.empty()) return;
  for (const AdamWTensor& t : a.tensors) check_tensor(t, stat_of(a.tensors[0].w.dtype));
  FATHOM_DISPATCH(adamw, device, a, bytes_of(a), 15 * count_of(a))
}

}  // namespace fathom
