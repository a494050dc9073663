// AlpacaEval 2.0: a model's outputs against a baseline's, instruction by instruction, in the files that
// upstream publishes.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "judge/judging.h"
#include "judge/length_control.h"
#include "judge/prompt_text.h"

namespace fathom {

struct AlpacaOutput {
  std::string instruction, output, dataset;
};
struct AlpacaOutputs {
  std::string generator;
  std::vector<AlpacaOutput> rows;  // in the file's order, which numbers the instructions
};

// model_outputs.json, or the same as lines. Error for an instruction that is there twice, and for outputs of
// several generators.
AlpacaOutputs read_alpaca_outputs(const std::string& path);
// As the file that read_alpaca_outputs() takes.
std::string alpaca_outputs_text(const AlpacaOutputs& outputs);

// One instruction that both answered.
struct AlpacaPair {
  int64_t index = 0;  // in the baseline
  const AlpacaOutput* baseline = nullptr;
  const AlpacaOutput* model = nullptr;
};
struct AlpacaJoin {
  std::vector<AlpacaPair> pairs;     // in the baseline's order
  int64_t missing = 0, unknown = 0;  // the model's: instructions without an output, and of no baseline's
};
// By the instruction's text, whatever the order. Refers to both. Error when they have none in common.
AlpacaJoin join_outputs(const AlpacaOutputs& baseline, const AlpacaOutputs& model);

// A judge's prompt as upstream writes it: ChatML with the places instruction, output_1 and output_2.
class AlpacaPrompt {
 public:
  explicit AlpacaPrompt(const std::string& path);
  Json messages(const std::string& instruction, const std::string& first, const std::string& second) const;

 private:
  std::string path_;
  std::vector<std::pair<std::string, PromptText>> parts_;  // role, text
};

// What the judge is asked. Which output it sees first depends on the instruction and the seed alone. Outputs
// that are equal are a draw, and not asked about.
std::vector<JudgeItem> alpaca_items(const AlpacaJoin& join, const AlpacaPrompt& prompt,
                                    const std::string& baseline, const std::string& model,
                                    const std::string& judge, uint64_t seed);
// For judge_all(): adds "preference", 1 for the baseline to 2 for the model, and whether it is weighted.
Reading read_alpaca_reply(const JudgeItem& item, const ChatReply& reply);

}  // namespace fathom
