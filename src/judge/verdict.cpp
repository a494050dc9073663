#include "judge/verdict.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "judge/blanks.h"

namespace fathom {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// The digits in the first OPEN digits[.digits] CLOSE.
std::string_view bracketed_number(std::string_view text, std::string_view open, std::string_view close) {
  for (size_t at = text.find(open); at != std::string_view::npos; at = text.find(open, at + 1)) {
    const size_t begin = at + open.size();
    size_t end = begin;
    while (end < text.size() && is_digit(text[end])) ++end;
    if (end == begin) continue;
    if (end < text.size() && text[end] == '.') ++end;
    while (end < text.size() && is_digit(text[end])) ++end;
    if (text.substr(end).starts_with(close)) return text.substr(begin, end - begin);
  }
  return {};
}

double log_prob_of(const ChatReply& reply, std::string_view token) {
  for (const LikelyToken& likely : reply.first)
    if (likely.token == token) return likely.log_prob;
  return -std::numeric_limits<double>::infinity();
}

}  // namespace

JudgeVerdict<double> read_rating(std::string_view judgement) {
  std::string_view digits = bracketed_number(judgement, "[[", "]]");
  if (digits.empty()) digits = bracketed_number(judgement, "[", "]");
  if (digits.empty()) return {{}, "no rating"};
  double value = 0;
  const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error == std::errc() && value >= 1 && value <= 10) return {value, ""};
  return {{}, "a rating outside 1 to 10"};
}

JudgeVerdict<Winner> read_winner(std::string_view judgement) {
  JudgeVerdict<Winner> verdict{{}, "no verdict"};
  constexpr std::string_view marks[] = {"[[A]]", "[[B]]", "[[C]]"};
  for (size_t i = 0; i < 3; ++i) {
    if (judgement.find(marks[i]) == std::string_view::npos) continue;
    if (verdict.value) return {{}, "several verdicts"};
    verdict = {static_cast<Winner>(i), ""};
  }
  return verdict;
}

JudgeVerdict<Preferred> read_preferred(const ChatReply& reply) {
  if (reply.first.empty()) {
    const std::string_view word = without_blanks(*reply.text);
    if (word == "m" || word == "M") return {Preferred{word == "m" ? 1.0 : 0.0, false}, ""};
    return {{}, "neither m nor M"};
  }
  const double first = log_prob_of(reply, "m"), second = log_prob_of(reply, "M");
  const double best = std::max(first, second);
  if (!std::isfinite(best)) return {{}, "neither m nor M among the likely tokens"};
  return {Preferred{std::exp(first - best) / (std::exp(first - best) + std::exp(second - best)), true}, ""};
}

}  // namespace fathom
