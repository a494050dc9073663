// What \text{...} and \mathrm{...} hold in mathematics: words, a unit, a separator of answers, a name in
// upright letters, or mathematics again.
#pragma once
#include <string>
#include <string_view>

#include "answers/math_lexer.h"

namespace fathom {

struct TextMeaning {
  MathTokenKind kind = MathTokenKind::end;  // end: nothing
  std::string text;
  bool mathematics = false;  // `text` is to be read as such
};

// `after_value`: what stands before it may have a unit.
TextMeaning text_meaning(std::string_view inside, bool after_value);

}  // namespace fathom
