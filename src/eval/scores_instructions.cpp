// Scores of instructions: those that an answer follows, each for itself or all together.

#include "eval/scores.h"

namespace fathom {

void Scorer::check_instructions(const AnswerMetric& metric, std::span<const Item> items,
                                std::span<const Measured> measured, std::vector<ItemScores>& scores,
                                size_t place) const {
  for (size_t i = 0; i < items.size(); ++i) {
    if (!metric.asks(items[i].subject)) continue;
    const std::vector<Instruction> instructions = instructions_of(metric, items[i].fields);
    const auto n = static_cast<double>(instructions.size());
    MetricScore& score = scores[i][place];
    score.weight = metric.together ? 1 : n;
    for (const MeasuredSample& sample : measured[i].samples) {
      double followed = 0;
      std::string verdicts;  // stand in the record in place of an answer
      for (const Instruction& instruction : instructions) {
        const Followed verdict =
            metric.loose ? follows_loosely(instruction, sample.output) : follows(instruction, sample.output);
        followed += verdict == Followed::yes, score.undecided += verdict == Followed::unknown;
        verdicts += (verdicts.empty() ? "" : ", ") + instruction.id + " " + std::string(name_of(verdict));
      }
      score.answers.emplace_back(verdicts);
      score.of_samples.push_back(metric.together ? static_cast<double>(followed == n) : followed / n);
    }
  }
}

}  // namespace fathom
