#include "answers/math_strict.h"

#include <algorithm>
#include <vector>

#include "text/utf8.h"

namespace fathom {
namespace {

using Pieces = std::vector<std::string_view>;

std::string replaced(std::string_view text, std::string_view what, std::string_view with) {
  std::string out;
  for (size_t at = 0;;) {
    const size_t found = text.find(what, at);
    out += text.substr(at, found - at);
    if (found == std::string_view::npos) return out;
    out += with;
    at = found + what.size();
  }
}

Pieces split(std::string_view text, std::string_view at) {
  Pieces pieces;
  for (size_t begin = 0;;) {
    const size_t end = text.find(at, begin);
    pieces.push_back(text.substr(begin, end - begin));
    if (end == std::string_view::npos) return pieces;
    begin = end + at.size();
  }
}

// The rules count characters, not bytes. Takes the first one off; a malformed byte counts as one.
std::string_view take_character(std::string_view& text) {
  const int length = decode_utf8(text.data(), text.data() + text.size()).length;
  const std::string_view first = text.substr(0, std::max(length, 1));
  text.remove_prefix(first.size());
  return first;
}

bool at_most_two_characters(std::string_view text) {
  for (int i = 0; i < 2 && !text.empty(); ++i) take_character(text);
  return text.empty();
}

// \sqrt3 -> \sqrt{3}. Nothing when an argument is missing.
std::optional<std::string> with_braced_roots(const std::string& text) {
  const Pieces pieces = split(text, "\\sqrt");
  std::string out(pieces[0]);
  for (size_t i = 1; i < pieces.size(); ++i) {
    std::string_view rest = pieces[i];
    if (rest.empty()) return std::nullopt;
    out += "\\sqrt";
    if (!rest.starts_with('{')) out += "{" + std::string(take_character(rest)) + "}";
    out += rest;
  }
  return out;
}

// \frac12 and \frac1{72} -> \frac{1}{2} and \frac{1}{72}. Nothing when both arguments are missing; a text
// whose second one is missing stays as it is.
std::optional<std::string> with_braced_fractions(const std::string& text) {
  const Pieces pieces = split(text, "\\frac");
  std::string out(pieces[0]);
  for (size_t i = 1; i < pieces.size(); ++i) {
    std::string_view rest = pieces[i];
    if (rest.empty()) return std::nullopt;
    out += "\\frac";
    if (!rest.starts_with('{')) {
      out += "{" + std::string(take_character(rest)) + "}";
      if (rest.empty()) return text;
      if (!rest.starts_with('{')) out += "{" + std::string(take_character(rest)) + "}";
    }
    out += rest;
  }
  return out;
}

// As an integer is printed: no leading zeros, no plus sign, no "-0".
bool is_plain_integer(std::string_view text) {
  if (text == "0") return true;
  if (text.starts_with('-')) text.remove_prefix(1);
  return !text.empty() && text[0] != '0' && text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::string slash_as_fraction(const std::string& text) {
  const Pieces parts = split(text, "/");
  if (parts.size() != 2 || !is_plain_integer(parts[0]) || !is_plain_integer(parts[1])) return text;
  return "\\frac{" + std::string(parts[0]) + "}{" + std::string(parts[1]) + "}";
}

}  // namespace

std::optional<std::string> strict_form(std::string_view answer) {
  std::string text(answer);
  const auto replace = [&text](std::string_view what, std::string_view with) {
    text = replaced(text, what, with);
  };
  for (const auto& [what, with] :
       std::initializer_list<std::pair<std::string_view, std::string_view>>{{"\n", ""},
                                                                            {"\\!", ""},
                                                                            {"\\\\", "\\"},
                                                                            {"tfrac", "frac"},
                                                                            {"dfrac", "frac"},
                                                                            {"\\left", ""},
                                                                            {"\\right", ""},
                                                                            {"^{\\circ}", ""},
                                                                            {"^\\circ", ""},
                                                                            {"\\$", ""}})
    replace(what, with);
  // In the data set "\text{ " begins a unit and nothing else.
  const Pieces around_unit = split(text, "\\text{ ");
  if (around_unit.size() > 2) return std::nullopt;
  text = std::string(around_unit[0]);
  replace("\\%", "");
  replace(" .", " 0.");
  replace("{.", "{0.");
  if (text.starts_with('.')) text = "0" + text;
  if (const Pieces sides = split(text, "="); sides.size() == 2 && at_most_two_characters(sides[0]))
    text = std::string(sides[1]);  // "k = 5"
  std::optional<std::string> form = with_braced_roots(text);
  if (!form) return std::nullopt;
  form = with_braced_fractions(replaced(*form, " ", ""));
  if (!form) return std::nullopt;
  return *form == "0.5" ? "\\frac{1}{2}" : slash_as_fraction(*form);
}

bool math_equal_strict(std::string_view a, std::string_view b) {
  const std::optional<std::string> first = strict_form(a), second = strict_form(b);
  return first && second ? *first == *second : a == b;
}

}  // namespace fathom
