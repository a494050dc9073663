#include "ops/sum.h"

namespace fathom::reference {

void sum(Device&, const Sum& a) {
  with_dtype<double, float>("sum", a.x.dtype, [&]<class T>(T) {
    for (int64_t i = 0; i < a.x.count(); ++i) *a.sum.as<double>() += a.x.as<T>()[i];
  });
}

}  // namespace fathom::reference
