#include "answers/math_identity.h"

#include <cmath>

namespace fathom {
namespace {

using Complex = std::complex<double>;

constexpr uint64_t points = 8;
constexpr int least_defined = 3;  // of the points, when variables differ from one to the next

bool close(Complex a, Complex b) {
  constexpr double relative = 1e-9, absolute = 1e-12;  // rounding of a few hundred operations; of zeros
  return std::abs(a - b) <= relative * std::max(std::abs(a), std::abs(b)) + absolute;
}

// Whether the values agree in floating point. Nothing when too few of the points are defined.
std::optional<bool> close_at_points(const MathNode& a, const MathNode& b, MathBudget& budget) {
  const bool constant = !has_variables(a) && !has_variables(b);
  int defined = 0;
  for (uint64_t point = 0; point < (constant ? 1 : points); ++point) {
    const auto x = numeric_value(a, point, budget), y = numeric_value(b, point, budget);
    if (x.has_value() != y.has_value()) return false;
    if (!x) continue;
    if (!close(*x, *y)) return false;
    ++defined;
  }
  return defined >= (constant ? 1 : least_defined) ? std::optional(true) : std::nullopt;
}

// Whether the values agree exactly. Nothing when one of them is not rational.
std::optional<bool> same_in_fields(const MathNode& a, const MathNode& b, MathBudget& budget) {
  for (int which = 0; which < math_primes; ++which) {
    const ModularValue x = modular_value(a, which, budget), y = modular_value(b, which, budget);
    if (x.exactness == Exactness::not_rational || y.exactness == Exactness::not_rational) return std::nullopt;
    if (x.exactness == Exactness::undefined || y.exactness == Exactness::undefined || x.value != y.value)
      return false;
  }
  return true;
}

}  // namespace

int infinity_sign(const MathNode& node) {
  if (node.kind == MathKind::symbol) return node.text == "infinity";
  return node.kind == MathKind::negate ? -infinity_sign(node.children[0]) : 0;
}

bool same_value(const MathNode& a, const MathNode& b, MathBudget& budget) {
  if (infinity_sign(a) != 0) return infinity_sign(a) == infinity_sign(b);
  const std::optional<bool> exact = same_in_fields(a, b, budget);
  if (exact == false || budget.steps <= 0) return false;
  // Rational expressions whose values are too large for floating point are equal by their exact ones.
  return close_at_points(a, b, budget).value_or(exact.has_value());
}

bool proportional(const MathNode& a, const MathNode& b, bool positive, MathBudget& budget) {
  if (!has_variables(a) || !has_variables(b)) return false;
  std::optional<Complex> ratio;
  int defined = 0;
  for (uint64_t point = 0; point < points; ++point) {
    const auto x = numeric_value(a, point, budget), y = numeric_value(b, point, budget);
    if (!x || !y) continue;
    if (std::abs(*x) < 1e-6 || std::abs(*y) < 1e-6) continue;  // rounding would decide
    const Complex here = *x / *y;
    if (!ratio) ratio = here;
    if (!close(here, *ratio)) return false;
    ++defined;
  }
  if (defined < least_defined || std::abs(ratio->imag()) > 1e-9) return false;
  return !positive || ratio->real() > 0;
}

}  // namespace fathom
