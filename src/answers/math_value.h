// Values of expressions (math_node.h): in floating point at chosen points, and exactly, modulo a prime. Every
// node visited costs a step of a budget, so that a comparison is bounded by counting and not by a clock, and
// comes out the same everywhere.
#pragma once
#include <complex>
#include <cstdint>
#include <optional>

#include "answers/math_node.h"

namespace fathom {

struct MathBudget {
  int64_t steps = 300'000;
  // False when it is used up: the comparison then fails.
  bool spend() { return steps > 0 && --steps > 0; }
};

// pi, e, i and infinity are not variables.
bool is_constant_name(const std::string& name);
bool has_variables(const MathNode& node);
// The number that hashing gives a variable, the same in every expression and on every machine.
uint64_t variable_bits(const std::string& name, uint64_t point);

// The value with every variable at its point's value, between 0.4 and 2.4 on either side of zero. Principal
// branches; odd roots of negative numbers are real; degrees are turned into radians inside functions and
// dropped elsewhere; log is to base 10. Nothing for what has no finite value, infinity among it.
std::optional<std::complex<double>> numeric_value(const MathNode& node, uint64_t point, MathBudget& budget);

enum class Exactness { exact, undefined, not_rational };
struct ModularValue {
  Exactness exactness = Exactness::not_rational;
  uint64_t value = 0;
};
inline constexpr int math_primes = 2;
// Of expressions made of numbers, variables, pi, e and i by the four operations, integer powers, factorials
// and binomials: their value in the field of the prime `which`, where variables have random values. Two
// expressions that differ have the same value with a chance below 1e-14; a value that divides by zero is
// undefined.
ModularValue modular_value(const MathNode& node, int which, MathBudget& budget);

}  // namespace fathom
