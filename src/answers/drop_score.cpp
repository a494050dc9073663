#include "answers/drop_score.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <set>
#include <vector>

#include "answers/assignment.h"
#include "answers/lower_case.h"
#include "answers/normalisation.h"
#include "answers/response_text.h"
#include "base/error.h"

namespace fathom {
namespace {

using View = std::string_view;
using Bag = std::set<std::string, std::less<>>;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Digits, with single underscores between them, off the front of `text`, into `out`.
bool take_digits(View& text, std::string& out) {
  if (text.empty() || !is_digit(text[0])) return false;
  while (!text.empty() && (is_digit(text[0]) || (text[0] == '_' && text.size() > 1 && is_digit(text[1])))) {
    if (text[0] != '_') out += text[0];
    text.remove_prefix(1);
  }
  return true;
}

// What Python's float() reads.
std::optional<double> python_number(View text) {
  text = stripped(text);
  if (text.empty()) return std::nullopt;
  std::string digits;
  if (text[0] == '-') digits = "-";
  if (text[0] == '-' || text[0] == '+') text.remove_prefix(1);
  const double sign = digits.empty() ? 1 : -1;
  const std::string word = lower_case(text);
  if (word == "inf" || word == "infinity") return sign * std::numeric_limits<double>::infinity();
  if (word == "nan") return std::numeric_limits<double>::quiet_NaN();
  const bool whole = take_digits(text, digits);
  if (!whole) digits += '0';
  bool part = false;
  if (text.starts_with('.')) {
    text.remove_prefix(1), digits += '.';
    part = take_digits(text, digits);
    if (!part) digits += '0';
  }
  if (!whole && !part) return std::nullopt;
  bool small = false;
  if (text.starts_with('e') || text.starts_with('E')) {
    text.remove_prefix(1), digits += 'e';
    small = text.starts_with('-');
    if (text.starts_with('-') || text.starts_with('+')) digits += text[0], text.remove_prefix(1);
    if (!take_digits(text, digits)) return std::nullopt;
  }
  if (!text.empty()) return std::nullopt;
  double value = 0;
  if (std::from_chars(digits.data(), digits.data() + digits.size(), value).ec ==
      std::errc::result_out_of_range)
    return sign * (small ? 0 : std::numeric_limits<double>::infinity());
  return value;
}

std::string python_text(double value) {
  if (std::isnan(value)) return "nan";
  const std::string text = fmt::format("{}", value);
  return text.find_first_not_of("-0123456789") == std::string::npos ? text + ".0" : text;
}

class SpanForm {
 public:
  std::string of(View span) {
    std::string form;
    for (size_t begin = 0; begin <= span.size();) {
      const size_t end = std::min(span.find_first_of(" -", begin), span.size());
      const std::string token = without_articles(plain(span.substr(begin, end - begin)));
      for (const View word : words_.matches(token)) form.append(form.empty() ? "" : " ").append(word);
      begin = end + 1;
    }
    return form;
  }

  Bag bag(View form) {
    const std::vector<View> words = words_.matches(form);
    return Bag(words.begin(), words.end());
  }

 private:
  static std::string plain(View token) {
    constexpr Normalisation punctuation[] = {Normalisation::punctuation};
    std::string text = lower_case(token);
    if (!python_number(text)) text = normalised(text, punctuation);
    const std::optional<double> number = python_number(text);
    return number ? python_text(*number) : text;
  }

  std::string without_articles(const std::string& text) {
    std::string out;
    size_t at = 0;
    for (const View article : articles_.matches(text)) {
      const auto place = static_cast<size_t>(article.data() - text.data());
      out += text.substr(at, place - at) + " ", at = place + article.size();
    }
    return out + text.substr(at);
  }

  Pattern articles_{R"(\b(?:a|an|the)\b)"}, words_{R"(\S+)"};
};

Bag numbers_of(const Bag& bag) {
  Bag numbers;
  for (const std::string& word : bag)
    if (python_number(word)) numbers.insert(word);
  return numbers;
}

size_t common(const Bag& a, const Bag& b) {
  return static_cast<size_t>(
      std::count_if(a.begin(), a.end(), [&](const std::string& word) { return b.contains(word); }));
}

double bag_f1(const Bag& predicted, const Bag& answer) {
  const Bag numbers = numbers_of(answer);
  if (!numbers.empty() && common(numbers, numbers_of(predicted)) == 0) return 0;
  const auto same = static_cast<double>(common(predicted, answer));
  const double precision = predicted.empty() ? 1 : same / static_cast<double>(predicted.size());
  const double recall = answer.empty() ? 1 : same / static_cast<double>(answer.size());
  return precision + recall == 0 ? 0 : 2 * precision * recall / (precision + recall);
}

}  // namespace

std::string drop_form(View span) {
  return SpanForm().of(span);
}

std::vector<std::string> drop_spans(View answer) {
  std::vector<std::string> spans;
  const auto add = [&](View part) {
    if (part.starts_with("and ")) part.remove_prefix(4);
    if (!part.empty()) spans.emplace_back(part);
  };
  while (true) {
    const size_t comma = answer.find(", "), word = answer.find(" and ");
    const size_t end = std::min(comma, word);
    add(answer.substr(0, end));
    if (end == View::npos) return spans;
    answer.remove_prefix(end + (comma < word ? 2 : 5));
  }
}

DropScore drop_score(std::span<const std::string> predicted, std::span<const std::string> answer) {
  SpanForm form;
  std::vector<std::string> ours, theirs;
  for (const std::string& span : predicted) ours.push_back(form.of(span));
  for (const std::string& span : answer) theirs.push_back(form.of(span));
  std::vector<std::vector<double>> f1;
  for (const std::string& gold : theirs) {
    f1.emplace_back();
    for (const std::string& own : ours) f1.back().push_back(bag_f1(form.bag(own), form.bag(gold)));
  }
  const double mean = largest_assignment(f1) / static_cast<double>(std::max(ours.size(), theirs.size()));
  // Upstream compares sets of spans, and their numbers.
  const bool same = ours.size() == theirs.size() &&
                    std::set(ours.begin(), ours.end()) == std::set(theirs.begin(), theirs.end());
  return {same ? 1.0 : 0.0, std::nearbyint(100 * mean) / 100};
}

}  // namespace fathom
