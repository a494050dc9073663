#include "answers/extract.h"

#include <algorithm>
#include <array>
#include <utility>

#include "answers/cloze_answer.h"
#include "answers/named.h"

namespace fathom {
namespace {

using View = std::string_view;
using Found = std::optional<View>;

constexpr auto names = std::to_array<std::pair<View, Extractor>>({{"boxed", Extractor::boxed},
                                                                  {"hashes", Extractor::hashes},
                                                                  {"stated", Extractor::stated},
                                                                  {"answer_tag", Extractor::answer_tag},
                                                                  {"last_number", Extractor::last_number},
                                                                  {"cloze", Extractor::cloze},
                                                                  {"letter", Extractor::letter},
                                                                  {"whole", Extractor::whole}});

View trimmed(View text) {
  constexpr View blanks = " \t\r\n\f\v";
  const size_t first = text.find_first_not_of(blanks);
  return first == View::npos ? View() : text.substr(first, text.find_last_not_of(blanks) + 1 - first);
}

// The inside of the braces that `text` begins with. \{ and \} are characters like any other.
Found balanced(View text) {
  int depth = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\')
      ++i;
    else if (text[i] == '{')
      ++depth;
    else if (text[i] == '}' && --depth == 0)
      return text.substr(1, i - 1);
  }
  return std::nullopt;
}

Found boxed(View text) {
  const auto last = [&](View command) {
    const size_t at = text.rfind(command);
    return at == View::npos ? 0 : at + command.size();
  };
  const size_t after = std::max(last("\\boxed"), last("\\fbox"));
  if (after == 0) return std::nullopt;
  const size_t open = text.find_first_not_of(' ', after);
  if (open == View::npos) return std::nullopt;
  if (text[open] == '{') return balanced(text.substr(open));
  const size_t end = text.find_first_of("$\n", open);
  return end == View::npos ? std::nullopt : Found(text.substr(open, end - open));
}

Found hashes(View text) {
  const size_t at = text.rfind("####");
  if (at == View::npos) return std::nullopt;
  const View rest = text.substr(at + 4);
  return rest.substr(0, rest.find('\n'));
}

// The end of the last of these phrases, in whatever case; 0 if there is none.
size_t after_last_phrase(View text) {
  constexpr auto phrases =
      std::to_array<View>({"answer is", "answer:", "answer：", "答案是", "答案为", "答案：", "答案:"});
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  size_t after = 0;
  for (const View phrase : phrases)
    if (const size_t at = lower.rfind(phrase); at != View::npos) after = std::max(after, at + phrase.size());
  return after;
}

// A full stop before a blank or the end; those in $...$ and in numbers do not count.
size_t sentence_end(View text) {
  bool in_mathematics = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n') return i;
    if (text[i] == '$') in_mathematics = !in_mathematics;
    if (in_mathematics) continue;
    if (text.substr(i).starts_with("。")) return i;
    if (text[i] == '.' && (i + 1 == text.size() || View(" \n\t*\"").find(text[i + 1]) != View::npos))
      return i;
  }
  return text.size();
}

Found stated(View text) {
  const size_t after = after_last_phrase(text);
  if (after == 0) return std::nullopt;
  View rest = text.substr(after);
  const size_t first = rest.find_first_not_of(" \t\n:*");
  if (first == View::npos) return std::nullopt;
  rest.remove_prefix(first);
  rest = trimmed(rest.substr(0, sentence_end(rest)));
  if (const Found inside = boxed(rest)) return inside;
  while (rest.ends_with('*')) rest.remove_suffix(1);
  return rest;
}

Found answer_tag(View text) {
  const size_t open = text.rfind("<answer>");
  if (open == View::npos) return std::nullopt;
  const View rest = text.substr(open + View("<answer>").size());
  const size_t close = rest.find("</answer>");
  return close == View::npos ? std::nullopt : Found(rest.substr(0, close));
}

// Digits with separators of thousands and a decimal point, a minus sign before them where no word or number
// stands before that.
Found last_number(View text) {
  constexpr View digits = "0123456789";
  const size_t last = text.find_last_of(digits);
  if (last == View::npos) return std::nullopt;
  size_t first = last;
  const auto is_digit = [&](size_t i) { return digits.find(text[i]) != View::npos; };
  while (first > 0 && (is_digit(first - 1) ||
                       (first > 1 && View(",.").find(text[first - 1]) != View::npos && is_digit(first - 2))))
    --first;
  if (first > 0 && text[first - 1] == '.') --first;
  const bool minus = first > 0 && text[first - 1] == '-';
  const bool difference = minus && first > 1 && View(" ($=:\n\t*").find(text[first - 2]) == View::npos;
  if (minus && !difference) --first;
  return text.substr(first, last + 1 - first);
}

// No letter, digit, apostrophe or mark of a formula is beside it, and it begins no sentence as a word ("A
// dog").
Found letter(View text) {
  const auto joins = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           View("'_\\^-").find(c) != View::npos;
  };
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] < 'A' || text[i] > 'J') continue;
    if ((i > 0 && joins(text[i - 1])) || (i + 1 < text.size() && joins(text[i + 1]))) continue;
    const bool a_word = i + 2 < text.size() && text[i + 1] == ' ' && text[i + 2] >= 'a' && text[i + 2] <= 'z';
    if (!a_word) return text.substr(i, 1);
  }
  return std::nullopt;
}

Found find(View text, Extractor extractor) {
  switch (extractor) {
    case Extractor::boxed:
      return boxed(text);
    case Extractor::hashes:
      return hashes(text);
    case Extractor::stated:
      return stated(text);
    case Extractor::answer_tag:
      return answer_tag(text);
    case Extractor::last_number:
      return last_number(text);
    case Extractor::letter:
      return letter(text);
    case Extractor::cloze:
      return cloze_answer(text);
    case Extractor::whole:
      return text;
  }
  return std::nullopt;
}

}  // namespace

Extractor parse_extractor(const std::string& name, const std::string& where) {
  return parse_named(names, name, "extractor", where);
}

std::optional<std::string> extract(View text, Extractor extractor) {
  const Found found = find(text, extractor);
  const View answer = found ? trimmed(*found) : View();
  return answer.empty() ? std::nullopt : std::optional<std::string>(answer);
}

std::optional<std::string> extract_first(View text, std::span<const Extractor> extractors) {
  for (const Extractor extractor : extractors)
    if (std::optional<std::string> answer = extract(text, extractor)) return answer;
  return std::nullopt;
}

}  // namespace fathom
