// What a task's answers are scored by. Each has a name of its own in records and results.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "answers/extract.h"
#include "answers/instructions.h"
#include "answers/normalisation.h"
#include "eval/text_template.h"

namespace fathom {

// By what the log-probability of an answer is divided, or compared with, before the likeliest is taken.
enum class ChoiceMetric {
  sum,            // log P(answer | prompt)
  bytes,          // over the answer's bytes
  chars,          // over its Unicode characters: what lm-evaluation-harness calls acc_norm
  tokens,         // over its tokens
  unconditional,  // less log P(answer | a prompt that does not ask for it)
};
std::string_view name_of(ChoiceMetric metric);
ChoiceMetric parse_choice_metric(const std::string& name, const std::string& where);

enum class AnswerKind {
  exact,         // letter by letter, after normalisation
  f1,            // words in common with the key
  drop_exact,    // DROP's spans (answers/drop_score.h): all of them
  drop_f1,       // and their words in common
  math_strict,   // the string rules of MATH
  math_lenient,  // the same value
  code,          // tests in the sandbox
  instructions   // rules that the answer must follow (answers/instructions.h)
};

// Which matches of a pattern are the answer: one, or the set of all, in order and without repetition.
enum class PatternMatch { first, last, set };

// A metric of what the model writes. The templates of `code` know, besides the row's fields, model_output,
// model_answer (what the extractors find in it, or nothing) and model_code (the last block of code in it, or
// all of it).
struct AnswerMetric {
  std::string name;
  AnswerKind kind = AnswerKind::exact;
  std::vector<std::string> subjects;  // of which it is asked; empty: of all
  std::vector<Extractor> extract;     // tried in this order on the output
  // A regular expression in place of extractors, all of whose match is the answer, where upstream's own
  // scorer has one. Of keys too the set of all matches is taken, if it is of answers.
  std::string pattern;
  PatternMatch match = PatternMatch::first;
  std::vector<Extractor> key_extract;  // and on the keys
  ListTemplate keys;                   // the right answers: any of them counts. Of DROP: JSON lists of spans
  std::vector<Normalisation> normalise;
  // Of code: the program, the tests, and what both may build on.
  TextTemplate program, given, entry_point;
  ListTemplate tests;
  // Of instructions: templates that write a JSON list of ids and one of their arguments; and whether all
  // together count as one.
  TextTemplate instructions, arguments;
  bool together = false;
  // Of instructions: the answer may have a line too many, or asterisks. Of DROP: commas and "and" may
  // separate its spans, where upstream takes it for one.
  bool loose = false;

  bool asks(const std::string& subject) const;
};

AnswerMetric parse_answer_metric(const Json& table, const std::string& where);

// The keys of an item. Error when there is none, or an extractor finds none in it.
std::vector<std::string> keys_of(const AnswerMetric& metric, const Json& fields);

// The instructions of an item. Error for one that is unknown, or whose arguments are no good.
std::vector<Instruction> instructions_of(const AnswerMetric& metric, const Json& fields);

// What the metric takes for the answer in an output; nothing where there is none.
std::optional<std::string> found_answer(const AnswerMetric& metric, std::string_view output);

// Of an answer and the keys, in [0, 1]: the best. Not for code and instructions, which
// have no keys.
double score_answer(const AnswerMetric& metric, std::string_view answer,
                    const std::vector<std::string>& keys);

// The text by which two answers count as the same vote.
std::string ballot(const AnswerMetric& metric, std::string_view answer);

}  // namespace fathom
