// Whether two answers of MATH are the same by the string rules that the data set was published with
// (Hendrycks et al. 2021, math_equivalence.py): what published scores mean by "equal". No mathematics:
// 2/4 is not 1/2 here. math_lenient.h is the form that calculates.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace fathom {

// The text by which an answer is compared; nothing where the rules do not apply (a \sqrt or \frac without an
// argument, two units), and the answer is then compared as it stands.
std::optional<std::string> strict_form(std::string_view answer);

bool math_equal_strict(std::string_view a, std::string_view b);

}  // namespace fathom
