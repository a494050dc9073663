#include "answers/math_text.h"

#include "answers/math_names.h"

namespace fathom {
namespace {

using Kind = MathTokenKind;

// With plain blanks, and none at the ends.
std::string content_of(std::string_view inside) {
  std::string content;
  for (size_t i = 0; i < inside.size(); ++i) {
    const bool escaped_blank = inside[i] == '\\' && inside.substr(i + 1).find_first_of(" ,;") == 0;
    i += escaped_blank;
    content += escaped_blank || inside[i] == '~' || inside[i] == '\n' ? ' ' : inside[i];
  }
  const size_t first = content.find_first_not_of(' ');
  return first == std::string::npos ? "" : content.substr(first, content.find_last_not_of(' ') + 1 - first);
}

// "cm^2", "/s", but not "or 3".
bool is_unit_text(const std::string& content) {
  return (is_latin_letter(content[0]) || content[0] == '/') &&
         content.find_first_of("\\$,;=") == std::string::npos && !content.starts_with("or ") &&
         !content.starts_with("and ");
}

}  // namespace

TextMeaning text_meaning(std::string_view inside, bool after_value) {
  constexpr std::string_view one_letter_units = "mgshlLNJWVCKAFT";
  const std::string content = content_of(inside);
  if (content.empty()) return {};
  if (content.find_first_of("0123456789\\$") != std::string::npos)
    return after_value && is_unit_text(content) ? TextMeaning{Kind::text, content}
                                                : TextMeaning{Kind::mark, content, true};
  if (content.size() == 1 && is_latin_letter(content[0])) {  // "5 \mathrm{m}", but not "3 \mathrm{i}"
    const bool unit = after_value && one_letter_units.find(content) != std::string_view::npos;
    return {unit ? Kind::text : Kind::symbol, content};
  }
  if (content == "," || content == ";") return {Kind::mark, content};
  const MathName name = plain_name(content);
  if (name.meaning == MathMeaning::mark && name.text != "plain sqrt")
    return {Kind::mark, std::string(name.text)};
  if (name.meaning == MathMeaning::function && name.text == content) return {Kind::function, content};
  return {Kind::text, content};
}

}  // namespace fathom
