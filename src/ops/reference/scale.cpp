#include "ops/scale.h"

namespace fathom::reference {

void scale(Device&, const Scale& a) {
  with_dtype<double, float>("scale", a.x.dtype, [&]<class T>(T) {
    for (int64_t i = 0; i < a.x.count(); ++i) a.x.as<T>()[i] *= static_cast<T>(a.factor);
  });
}

}  // namespace fathom::reference
