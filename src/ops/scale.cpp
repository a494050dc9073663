#include "ops/scale.h"

namespace fathom {

void scale(Device& device, const Scale& a) {
  check(a.x || a.x.count() == 0, "scale: x is missing");
  check(a.x.contiguous(), "scale: x {} must be contiguous", a.x.shape_text());
  FATHOM_DISPATCH(scale, device, a, 2 * moves(a.x), 1.0 * a.x.count())
}

}  // namespace fathom
