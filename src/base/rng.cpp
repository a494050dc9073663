// Compiled without contraction to fused multiply-adds (CMakeLists.txt), as base/box_muller.inc asks.
#include "base/rng.h"

#include <bit>
#include <cmath>

namespace fathom {
namespace {

#define FATHOM_BOX_MULLER inline
#include "base/box_muller.inc"

struct ScalarOps {
  using V = double;
  using U = uint64_t;
  static V number(double x) { return x; }
  static U integer(uint64_t n) { return n; }
  static V real(U n) { return std::bit_cast<double>(n); }
  static U bits(V x) { return std::bit_cast<uint64_t>(x); }
  static V mul(V a, V b) { return a * b; }
  static V add(V a, V b) { return a + b; }
  static V sub(V a, V b) { return a - b; }
  static V div(V a, V b) { return a / b; }
  static V sqrt(V a) { return std::sqrt(a); }
  static U and_(U a, U b) { return a & b; }
  static U and_not(U not_a, U b) { return ~not_a & b; }
  static U or_(U a, U b) { return a | b; }
  static U xor_(U a, U b) { return a ^ b; }
  static U add_integer(U a, U b) { return a + b; }
  static U sub_integer(U a, U b) { return a - b; }
  template <int n>
  static U shift_right(U a) {
    return a >> n;
  }
  template <int n>
  static U shift_left(U a) {
    return a << n;
  }
};

}  // namespace

double normal_from(uint32_t w0, uint32_t w1) {
  return box_muller<ScalarOps>(w0, w1);
}

}  // namespace fathom
