// What the judge of MT-Bench is asked: FastChat's prompts over questions, answers and references.
#pragma once
#include <vector>

#include "judge/judging.h"
#include "judge/mt_bench.h"

namespace fathom {

// Single grading: both turns of every question. The second one is judged with the first before its eyes.
// Error for a prompt or a reference that is missing.
std::vector<JudgeItem> rating_items(const MtBench& bench, const MtAnswers& answers, const std::string& judge);

// Pairs: the same, as two games each: in game 2 the answers stand in the other order.
std::vector<JudgeItem> pair_items(const MtBench& bench, const MtAnswers& model_1, const MtAnswers& model_2,
                                  const std::string& judge);

}  // namespace fathom
