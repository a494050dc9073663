// What a group of experts is ranked by (ops/router.h).
#pragma once
#include <limits>

namespace fathom {

// The highest value of a group's experts or, `of_two`, the sum of the two highest: of the one, where there is
// no other. NaN counts as no value.
template <class T>
struct GroupScore {
  static constexpr T none = -std::numeric_limits<T>::infinity();
  T first = none, second = none;

  constexpr void add(T value) {
    if (value > first) {
      second = first, first = value;
    } else if (value > second) {
      second = value;
    }
  }
  constexpr T value(bool of_two) const { return of_two && second > none ? first + second : first; }
};

}  // namespace fathom
