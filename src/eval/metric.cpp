#include "eval/metric.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "answers/drop_score.h"
#include "answers/math_lenient.h"
#include "answers/math_strict.h"
#include "answers/named.h"
#include "base/error.h"
#include "base/parse_number.h"
#include "eval/table_keys.h"
#include "text/regex.h"

namespace fathom {
namespace {

using View = std::string_view;

constexpr auto choice_names =
    std::to_array<std::pair<View, ChoiceMetric>>({{"sum", ChoiceMetric::sum},
                                                  {"bytes", ChoiceMetric::bytes},
                                                  {"chars", ChoiceMetric::chars},
                                                  {"tokens", ChoiceMetric::tokens},
                                                  {"unconditional", ChoiceMetric::unconditional}});

constexpr auto match_names = std::to_array<std::pair<View, PatternMatch>>(
    {{"first", PatternMatch::first}, {"last", PatternMatch::last}, {"set", PatternMatch::set}});

constexpr auto kind_names =
    std::to_array<std::pair<View, AnswerKind>>({{"exact", AnswerKind::exact},
                                                {"f1", AnswerKind::f1},
                                                {"drop_exact", AnswerKind::drop_exact},
                                                {"drop_f1", AnswerKind::drop_f1},
                                                {"math_strict", AnswerKind::math_strict},
                                                {"math_lenient", AnswerKind::math_lenient},
                                                {"code", AnswerKind::code},
                                                {"instructions", AnswerKind::instructions}});

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(' ', at), text.size());
    if (end > at) words.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

// The harmonic mean of the shares of words in common, as a bag.
double word_f1(const std::string& answer, const std::string& key) {
  const std::vector<std::string> a = words_of(answer), k = words_of(key);
  if (a.empty() || k.empty()) return a.empty() && k.empty();
  std::map<std::string, int> left;
  for (const std::string& word : k) ++left[word];
  double common = 0;
  for (const std::string& word : a) common += left[word]-- > 0;
  return 2 * common / static_cast<double>(a.size() + k.size());
}

// A key that is written as an answer is scored as its list of spans.
DropScore drop_scores(const AnswerMetric& m, View answer, const std::string& key) {
  const auto spans = read_value<std::vector<std::string>>(parse_json(key, m.name), {m.name, "key"});
  if (answer == key) return drop_score(spans, spans);
  const std::string whole(answer);
  DropScore best = drop_score({&whole, 1}, spans);
  if (const std::vector<std::string> parts = drop_spans(answer); m.loose && parts.size() > 1) {
    const DropScore score = drop_score(parts, spans);
    best = {std::max(best.exact, score.exact), std::max(best.f1, score.f1)};
  }
  return best;
}

double score_one(const AnswerMetric& m, View answer, const std::string& key) {
  switch (m.kind) {
    case AnswerKind::math_strict:
      return math_equal_strict(answer, key);
    case AnswerKind::math_lenient:
      return math_equal_lenient(answer, key);
    case AnswerKind::drop_exact:
      return drop_scores(m, answer, key).exact;
    case AnswerKind::drop_f1:
      return drop_scores(m, answer, key).f1;
    case AnswerKind::f1:
      return word_f1(normalised(answer, m.normalise), normalised(key, m.normalise));
    default:
      return normalised(answer, m.normalise) == normalised(key, m.normalise);
  }
}

}  // namespace

std::string_view name_of(ChoiceMetric metric) {
  return choice_names[static_cast<size_t>(metric)].first;
}

ChoiceMetric parse_choice_metric(const std::string& name, const std::string& where) {
  return parse_named(choice_names, name, "metric", where);
}

bool AnswerMetric::asks(const std::string& subject) const {
  return subjects.empty() || std::find(subjects.begin(), subjects.end(), subject) != subjects.end();
}

AnswerMetric parse_answer_metric(const Json& table, const std::string& where) {
  const TableKeys keys(table, where);
  AnswerMetric m;
  m.kind = parse_named(kind_names, keys.text("kind", "exact"), "kind of metric", keys.place("kind"));
  m.name = keys.text("name", keys.text("kind", "exact"));
  for (const std::string& name : keys.texts("extract", {"whole"}))
    m.extract.push_back(parse_extractor(name, keys.place("extract")));
  m.pattern = keys.text("pattern", "");
  if (!m.pattern.empty()) Regex(m.pattern, keys.place("pattern"));
  m.match = parse_named(match_names, keys.text("match", "first"), "match", keys.place("match"));
  m.subjects = keys.texts("subjects", {});
  for (const std::string& name : keys.texts("key_extract", {"whole"}))
    m.key_extract.push_back(parse_extractor(name, keys.place("key_extract")));
  for (const std::string& name : keys.texts("normalise", {}))
    m.normalise.push_back(parse_normalisation(name, keys.place("normalise")));
  m.keys = keys.list("key");
  m.program = keys.templ("program"), m.given = keys.templ("given"), m.entry_point = keys.templ("entry_point");
  m.tests = keys.list("tests");
  m.instructions = keys.templ("instructions"), m.arguments = keys.templ("arguments");
  m.loose = keys.truth("loose", false), m.together = keys.truth("together", false);
  if (m.kind == AnswerKind::instructions)
    check(m.instructions.given() && m.arguments.given(), "{}: needs instructions and arguments", where);
  else if (m.kind == AnswerKind::code)
    check(m.tests.given() && m.program.given(), "{}: needs program and tests", where);
  else
    check(m.keys.given(), "{}: needs key", where);
  keys.finish();
  return m;
}

std::vector<std::string> keys_of(const AnswerMetric& m, const Json& fields) {
  std::vector<std::string> keys;
  for (const jinja::Text& text : m.keys.render(fields)) {
    const std::optional<std::string> key = extract_first(text.bytes, m.key_extract);
    check(key.has_value(), "no right answer is found in '{}'", shortened(text.bytes));
    const bool set = m.match == PatternMatch::set && !m.pattern.empty();
    keys.push_back(set ? found_answer(m, *key).value_or(*key) : *key);
  }
  check(!keys.empty(), "there is no right answer");
  return keys;
}

std::vector<Instruction> instructions_of(const AnswerMetric& m, const Json& fields) {
  return parse_instructions(parse_json(m.instructions.text(fields), "instructions"),
                            parse_json(m.arguments.text(fields), "arguments"), m.name);
}

std::optional<std::string> found_answer(const AnswerMetric& m, View output) {
  if (m.pattern.empty()) return extract_first(output, m.extract);
  const Regex regex(m.pattern, m.name);
  constexpr uint32_t most_steps = 1'000'000;
  RegexScratch scratch(most_steps);
  std::vector<std::string> found;
  for (size_t at = 0; at <= output.size();) {
    const std::optional<RegexMatch> match = regex.find(output, at, scratch);
    if (!match) break;
    if (match->end > match->begin) found.emplace_back(output.substr(match->begin, match->end - match->begin));
    if (!found.empty() && m.match == PatternMatch::first) break;
    at = std::max(match->end, at + 1);
    while (at < output.size() && (static_cast<unsigned char>(output[at]) & 0xc0) == 0x80) ++at;
  }
  if (found.empty()) return std::nullopt;
  if (m.match != PatternMatch::set) return found.back();
  const std::set<std::string> all(found.begin(), found.end());
  return fmt::format("{}", fmt::join(all, ""));
}

double score_answer(const AnswerMetric& m, View answer, const std::vector<std::string>& keys) {
  double best = 0;
  for (const std::string& key : keys) best = std::max(best, score_one(m, answer, key));
  return best;
}

std::string ballot(const AnswerMetric& m, View answer) {
  if (m.kind == AnswerKind::math_strict || m.kind == AnswerKind::math_lenient)
    return strict_form(answer).value_or(std::string(answer));
  return normalised(answer, m.normalise);
}

}  // namespace fathom
