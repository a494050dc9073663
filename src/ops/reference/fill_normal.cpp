#include "ops/fill_normal.h"

#include "base/rng.h"

namespace fathom::reference {

void fill_normal(Device&, const FillNormal& a) {
  with_dtype<double, float, bf16>("fill_normal", a.out.dtype, [&]<class T>(T) {
    Rng rng(a.seed, a.stream);
    rng.seek(a.first);
    for (int64_t i = 0; i < a.out.count(); ++i)
      a.out.as<T>()[i] = T(static_cast<float>(rng.normal() * a.std));
  });
}

}  // namespace fathom::reference
