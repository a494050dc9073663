#include "answers/normalisation.h"

#include <algorithm>
#include <array>
#include <utility>

#include "answers/lower_case.h"
#include "answers/named.h"

namespace fathom {
namespace {

constexpr auto names = std::to_array<std::pair<std::string_view, Normalisation>>(
    {{"trim", Normalisation::trim},
     {"spaces", Normalisation::spaces},
     {"lower", Normalisation::lower},
     {"punctuation", Normalisation::punctuation},
     {"punctuation_as_blank", Normalisation::punctuation_as_blank},
     {"cmrc_punctuation", Normalisation::cmrc_punctuation},
     {"articles", Normalisation::articles},
     {"thousands", Normalisation::thousands},
     {"commas", Normalisation::commas}});

constexpr std::string_view blanks = " \t\r\n\f\v";

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_punctuation(char c) {
  return c > ' ' && c < 0x7f && !is_digit(c) && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z');
}

std::string trimmed(const std::string& text) {
  const size_t first = text.find_first_not_of(blanks);
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(blanks) + 1 - first);
}

std::string with_single_blanks(const std::string& text) {
  std::string out;
  bool blank = false;
  for (const char c : text) {
    const bool is_blank = blanks.find(c) != std::string_view::npos;
    if (!is_blank || !blank) out += is_blank ? ' ' : c;
    blank = is_blank;
  }
  return out;
}

// Words are what blanks separate; a blank goes with the article.
std::string without_articles(const std::string& text) {
  std::string out;
  for (size_t begin = 0; begin < text.size();) {
    size_t end = text.find_first_of(blanks, begin);
    const std::string word = text.substr(begin, end - begin);
    end = end == std::string::npos ? text.size() : end + 1;
    if (word != "a" && word != "an" && word != "the") out += text.substr(begin, end - begin);
    begin = end;
  }
  return out;
}

std::string without_thousands(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto digit_at = [&](size_t at) { return at < text.size() && is_digit(text[at]); };
    const bool separator = text[i] == ',' && i > 0 && digit_at(i - 1) && digit_at(i + 1) && digit_at(i + 2) &&
                           digit_at(i + 3) && !digit_at(i + 4);
    if (!separator) out += text[i];
  }
  return out;
}

std::string replaced(std::string text, std::initializer_list<std::string_view> marks, std::string_view with) {
  for (const std::string_view mark : marks)
    for (size_t at = 0; (at = text.find(mark, at)) != std::string::npos; at += with.size())
      text.replace(at, mark.size(), with);
  return text;
}

std::string after(Normalisation step, std::string text) {
  switch (step) {
    case Normalisation::trim:
      return trimmed(text);
    case Normalisation::spaces:
      return with_single_blanks(text);
    case Normalisation::lower:
      return lower_case(text);
    case Normalisation::punctuation:
      std::erase_if(text, is_punctuation);
      return text;
    case Normalisation::punctuation_as_blank:
      std::replace_if(text.begin(), text.end(), is_punctuation, ' ');
      return replaced(std::move(text), {"\u2018", "\u2019", "\u00b4"}, " ");
    case Normalisation::cmrc_punctuation:
      std::erase_if(
          text, [](char c) { return std::string_view("-:_*^/\\~`+=").find(c) != std::string_view::npos; });
      return replaced(std::move(text), {"，", "。", "：", "？", "！", "“",  "”",  "；", "’",  "《", "》",
                                        "·",  "、", "「", "」", "（", "）", "－", "～", "『", "』"},
                      "");
    case Normalisation::articles:
      return without_articles(text);
    case Normalisation::thousands:
      return without_thousands(text);
    case Normalisation::commas:
      std::erase(text, ',');
      return text;
  }
  return text;
}

}  // namespace

Normalisation parse_normalisation(const std::string& name, const std::string& where) {
  return parse_named(names, name, "normalisation", where);
}

std::string normalised(std::string_view text, std::span<const Normalisation> steps) {
  std::string out(text);
  for (const Normalisation step : steps) out = after(step, std::move(out));
  return out;
}

}  // namespace fathom
