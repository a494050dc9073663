// A number as answers write it, at the start of a text: "14,\!400", "1,234.5", "10 000", ".5", "2.5e-3",
// "0.1\overline{6}".
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace fathom {

struct WrittenNumber {
  std::string text;   // digits and point, then "(6)" for a repeating part or "e-3" for a power of ten
  size_t length = 0;  // bytes read; 0: no number stands here
};

// In brackets a comma is taken for a separator of elements: (1,234) has two.
WrittenNumber read_number_text(std::string_view text, bool in_brackets);

}  // namespace fathom
