#include "answers/math_number.h"

#include <initializer_list>

namespace fathom {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

size_t digits_at(std::string_view text, size_t at) {
  size_t n = 0;
  while (at + n < text.size() && is_digit(text[at + n])) ++n;
  return n;
}

// The separator of thousands after the first `at` digits: three digits follow it and no more. A blank could
// also stand in 3 125/1000.
std::string_view thousands_separator(std::string_view text, size_t at, bool in_brackets) {
  for (const std::string_view separator : {",\\!", ",\\! ", "{,}", "\\,", ",", " "}) {
    if (separator == "," && in_brackets) continue;
    const size_t after = at + separator.size();
    if (!text.substr(at).starts_with(separator) || digits_at(text, after) != 3) continue;
    if (separator == " " && text.substr(after + 3).starts_with('/')) continue;
    return separator;
  }
  return {};
}

// "\overline{36}": its digits, and how many bytes they take.
std::string_view repeating_digits(std::string_view text, size_t& length) {
  for (const std::string_view command : {"\\overline{", "\\bar{"}) {
    if (!text.starts_with(command)) continue;
    const size_t n = digits_at(text, command.size());
    if (n == 0 || !text.substr(command.size() + n).starts_with('}')) continue;
    length = command.size() + n + 1;
    return text.substr(command.size(), n);
  }
  return {};
}

void read_fraction(std::string_view text, WrittenNumber& number) {
  if (!text.substr(number.length).starts_with('.')) return;
  const size_t after = number.length + 1, n = digits_at(text, after);
  size_t repeating_length = 0;
  const std::string_view repeating = repeating_digits(text.substr(after + n), repeating_length);
  if (n == 0 && repeating.empty()) return;
  if (number.text.empty()) number.text = "0";
  number.text += "." + std::string(text.substr(after, n));
  if (!repeating.empty()) number.text += "(" + std::string(repeating) + ")";
  number.length = after + n + repeating_length;
}

void read_power_of_ten(std::string_view text, WrittenNumber& number) {
  constexpr size_t longest_exponent = 4;
  const std::string_view rest = text.substr(number.length);
  if (rest.empty() || (rest[0] != 'e' && rest[0] != 'E') || number.text.ends_with(')')) return;
  const size_t sign = rest.size() > 1 && (rest[1] == '-' || rest[1] == '+');
  const size_t n = digits_at(rest, 1 + sign);
  if (n == 0 || n > longest_exponent) return;
  number.text += "e" + std::string(rest.substr(rest[1] == '+' ? 2 : 1, rest[1] == '+' ? n : n + sign));
  number.length += 1 + sign + n;
}

}  // namespace

WrittenNumber read_number_text(std::string_view text, bool in_brackets) {
  WrittenNumber number;
  number.length = digits_at(text, 0);
  number.text = text.substr(0, number.length);
  if (number.length >= 1 && number.length <= 3) {
    const std::string_view separator = thousands_separator(text, number.length, in_brackets);
    while (!separator.empty() && thousands_separator(text, number.length, in_brackets) == separator) {
      number.text += text.substr(number.length + separator.size(), 3);
      number.length += separator.size() + 3;
    }
  }
  read_fraction(text, number);
  if (number.length > 0) read_power_of_ten(text, number);
  return number;
}

}  // namespace fathom
