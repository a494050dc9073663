// Small letters of texts in any of the alphabets that have them.
#pragma once
#include <string>
#include <string_view>

namespace fathom {

// Capital letters of the Latin, Greek, Cyrillic and Armenian alphabets as small ones; all else stays,
// malformed bytes too. What Python's str.lower does, but for a few letters that become several (U+0130) or
// depend on their place (a final sigma).
std::string lower_case(std::string_view text);

}  // namespace fathom
