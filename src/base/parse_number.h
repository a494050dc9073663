// Numbers that a person wrote, on a command line for example, read strictly.
#pragma once
#include <cstdint>
#include <limits>
#include <string>

namespace fathom {

// The values a number may have: low to high, each end included unless it says so.
template <class T>
struct Allowed {
  T low = std::numeric_limits<T>::lowest(), high = std::numeric_limits<T>::max();
  bool low_excluded = false, high_excluded = false;
};

// "between 0 and 1", "at least 1", "above 0 and at most 1"; empty when every value is allowed.
template <class T>
std::string range_text(const Allowed<T>& allowed);

// What was given, for an error: a long text is cut.
std::string shortened(const std::string& text);

// Decimal digits, for a real number also a fraction and an exponent; nothing else may stand in the text.
// `name` stands in the errors.
template <class T>
T parse_number(const std::string& name, const std::string& text, const Allowed<T>& allowed = {});

}  // namespace fathom
