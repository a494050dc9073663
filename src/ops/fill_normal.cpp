#include "ops/fill_normal.h"

namespace fathom {

void fill_normal(Device& device, const FillNormal& a) {
  check(a.out || a.out.count() == 0, "fill_normal: out is missing");
  check(a.out.contiguous(), "fill_normal: out {} must be contiguous", a.out.shape_text());
  FATHOM_DISPATCH(fill_normal, device, a, moves(a.out), 100.0 * a.out.count())
}

}  // namespace fathom
