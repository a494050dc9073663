// Scores of files by a reward model.
#pragma once
#include <string>

namespace fathom {

struct RewardScoring {
  std::string score, evaluate;  // files; one of them
  std::string model, adapter, out, json, device = "cpu";
  int threads = 0;
};

// Error naming the flag that is missing, or the file and row that cannot be scored.
void score_files(const RewardScoring& scoring);

}  // namespace fathom
