// The tokens of an answer in LaTeX, in plain text as models write it (sqrt(2), 3 1/2, 10^3), or in Unicode's
// symbols. What only changes the looks (\left, \!, \dfrac, $, blanks) is gone, and so are the separators of
// thousands.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fathom {

enum class MathTokenKind {
  number,    // digits, perhaps with a point
  symbol,    // a variable or constant: "x", "alpha", "pi", "infinity"
  function,  // "sin", "log", "sqrt", ...
  text,      // what \text{...} held, or a unit
  mark,      // everything else by one name: "+", "(", "\\{", "<=", "in", "frac", "begin", ...
  end
};

struct MathToken {
  MathTokenKind kind;
  std::string text;
  bool spaced = false;  // a blank stands before it

  bool is(std::string_view mark) const { return kind == MathTokenKind::mark && text == mark; }
};

inline constexpr size_t max_math_tokens = 1000;

// Ends with an `end` token. Nothing for what has no meaning here: unknown commands, other characters, too
// many tokens.
std::optional<std::vector<MathToken>> math_tokens(std::string_view text);

}  // namespace fathom
