#include "ops/swiglu.h"

#include <cmath>

namespace fathom::reference {

void swiglu_forward(Device&, const SwigluForward& a) {
  with_dtype<double, float>("swiglu_forward", a.out.dtype, [&]<class T>(T) {
    const int64_t F = a.out.cols();
    for (int64_t n = 0; n < a.out.rows(); ++n) {
      const T *gate = a.gate_up.row<T>(n), *up = gate + F;
      for (int64_t f = 0; f < F; ++f) a.out.row<T>(n)[f] = gate[f] / (1 + std::exp(-gate[f])) * up[f];
    }
  });
}

// silu'(g) = s + g s (1 - s), s = sigmoid(g)
void swiglu_backward(Device&, const SwigluBackward& a) {
  with_dtype<double, float>("swiglu_backward", a.dout.dtype, [&]<class T>(T) {
    const int64_t F = a.dout.cols();
    for (int64_t n = 0; n < a.dout.rows(); ++n)
      for (int64_t f = 0; f < F; ++f) {
        const T gate = a.gate_up.row<T>(n)[f], up = a.gate_up.row<T>(n)[F + f], dout = a.dout.row<T>(n)[f];
        const T sigmoid = 1 / (1 + std::exp(-gate));
        a.dgate_up.row<T>(n)[f] = dout * up * sigmoid * (1 + gate * (1 - sigmoid));
        a.dgate_up.row<T>(n)[F + f] = dout * gate * sigmoid;
      }
  });
}

}  // namespace fathom::reference
