// Scores of generated code: its tests, in the sandbox.
#include "base/error.h"
#include "eval/scores.h"
#include "sandbox/code_block.h"
#include "sandbox/code_test.h"

namespace fathom {
namespace {

CodeTest code_test(const AnswerMetric& metric, const Item& item, const std::string& output,
                   const std::optional<std::string>& answer) {
  Json variables = item.fields;
  variables["model_output"] = output, variables["model_answer"] = answer.value_or("");
  variables["model_code"] = code_block(output, "python", /*whole_text_without_block=*/true)->code;
  CodeTest test;
  test.id = item.id;
  test.program = metric.program.text(variables), test.given = metric.given.text(variables);
  test.entry_point = metric.entry_point.text(variables);
  for (const jinja::Text& text : metric.tests.render(variables)) test.tests.push_back(text.bytes);
  // HumanEval's tests are one function check(candidate).
  test.style = metric.entry_point.given() ? CodeStyle::check : CodeStyle::asserts;
  return test;
}

}  // namespace

void Scorer::run_code(const AnswerMetric& metric, std::span<const Item> items,
                      std::span<const Measured> measured, std::vector<ItemScores>& scores,
                      size_t place) const {
  std::vector<CodeTest> tests;
  std::vector<std::pair<size_t, size_t>> of;  // item, sample
  for (size_t i = 0; i < items.size(); ++i)
    for (size_t s = 0; s < scores[i][place].answers.size(); ++s) {
      const std::optional<std::string>& answer = scores[i][place].answers[s];
      if (!answer) continue;
      tests.push_back(code_test(metric, items[i], measured[i].samples[s].output, answer));
      of.emplace_back(i, s);
    }
  const std::vector<CodeVerdict> verdicts = run_code_tests(*sandbox_, tests, workers_);
  for (size_t t = 0; t < verdicts.size(); ++t) {
    const auto [i, s] = of[t];
    check(verdicts[t].scored(), "{}, item {}: its tests cannot be run: {}", items[i].where, items[i].id,
          verdicts[t].text);
    scores[i][place].of_samples[s] = verdicts[t].passed();
    // What ended it stands in the record in place of the whole program.
    scores[i][place].answers[s] = std::string(to_string(verdicts[t].ending));
  }
}

}  // namespace fathom
