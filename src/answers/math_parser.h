// An answer's text as a tree (math_node.h).
#pragma once
#include <optional>
#include <string_view>

#include "answers/math_node.h"

namespace fathom {

// Longer answers are not parsed: no answer to a question is, and every step after this one is bounded by it.
inline constexpr size_t max_math_text = 2000;

// Nothing for what is not mathematics as fathom knows it, nested too deep, or too long.
std::optional<MathNode> parse_math(std::string_view text);

}  // namespace fathom
