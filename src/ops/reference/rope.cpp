#include "ops/rope.h"

#include <cmath>

namespace fathom::reference {

void rope_table(Device&, const RopeTable& a) {
  with_dtype<double, float>("rope_table", a.cos_sin.dtype, [&]<class T>(T) {
    for (int64_t n = 0; n < a.cos_sin.rows(); ++n) {
      T* row = a.cos_sin.row<T>(n);
      for (int64_t k = 0; k < a.inv_freq.count(); ++k) {
        const double angle = a.positions.as<int32_t>()[n] * a.inv_freq.as<double>()[k];
        row[2 * k] = static_cast<T>(std::cos(angle) * a.factor);
        row[2 * k + 1] = static_cast<T>(std::sin(angle) * a.factor);
      }
    }
  });
}

void rope(Device&, const Rope& a) {
  with_dtype<double, float>("rope", a.x.dtype, [&]<class T>(T) {
    const int64_t H = a.x.shape[1];
    for (int64_t r = 0; r < a.x.rows(); ++r) {
      T* x = a.x.row<T>(r);
      const T* table = a.cos_sin.row<T>(r / H);
      const int64_t half = a.x.cols() / 2;
      for (int64_t k = 0; k < half; ++k) {
        const bool neighbours = a.pairs == RopePairs::neighbours;
        T &re = x[neighbours ? 2 * k : k], &im = x[neighbours ? 2 * k + 1 : k + half];
        const T cos = table[2 * k], sin = a.inverse ? -table[2 * k + 1] : table[2 * k + 1];
        const T before = re;
        re = before * cos - im * sin;
        im = before * sin + im * cos;
      }
    }
  });
}

}  // namespace fathom::reference
