// Whether two expressions, or two equations, say the same.
#pragma once
#include "answers/math_value.h"

namespace fathom {

// Exactly where both are rational (modular_value); otherwise at eight points, of which three must be defined,
// to a relative 1e-9. An expression without a value equals nothing; +-infinity equals itself.
bool same_value(const MathNode& a, const MathNode& b, MathBudget& budget);

// a = c * b for a constant c other than 0, above 0 where `positive` says so; both have variables.
bool proportional(const MathNode& a, const MathNode& b, bool positive, MathBudget& budget);

// 1 or -1 for infinity and its negative, otherwise 0.
int infinity_sign(const MathNode& node);

}  // namespace fathom
