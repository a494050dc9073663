// The names that mathematical answers are written with: LaTeX's commands, Unicode's symbols, functions and
// units, each with what it stands for.
#pragma once
#include <cstdint>
#include <string_view>

namespace fathom {

enum class MathMeaning {
  unknown,
  nothing,       // looks only
  mark,          // `text` is the mark
  symbol,        // `text` is the name
  function,      // `text` is the name
  text_follows,  // its argument is words
  latex          // `text` is what it stands for
};

inline bool is_latin_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

struct MathName {
  MathMeaning meaning = MathMeaning::unknown;
  std::string_view text;
};

MathName latex_command(std::string_view name);
MathName unicode_symbol(uint32_t code_point);
// What a word of plain text stands for. It may be its beginning only, as for "sinx".
MathName plain_name(std::string_view word);
// "cm", "dollars", "degrees", ...: lower case, two letters or more.
bool is_unit(std::string_view word);

}  // namespace fathom
