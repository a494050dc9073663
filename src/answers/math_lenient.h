// Whether two answers say the same mathematically: 2/4 and 0.5, x^2-1 and (x-1)(x+1), x > 3 and (3, \infty).
// What equals by the strict rules (math_strict.h) equals here too. Beyond those:
//
// * Expressions have the same value (math_identity.h). Units, currency signs, degrees and \text behind a
// value
//   do not count; 50% is 0.5 and also 50.
// * Lists without brackets and sets: the same elements in any order. Tuples, intervals and matrices: element
//   by element, with the same brackets.
// * "x = 5" is 5; equations and inequalities that differ by a factor are the same.
// * Words: the same letters, small or capital. A number in another base: the same digits; the base may be
// left
//   out.
//
// Symmetric. Bounded in length, depth and steps; what exceeds a bound is not equal.
#pragma once
#include <string_view>

namespace fathom {

bool math_equal_lenient(std::string_view a, std::string_view b);

}  // namespace fathom
