// What `fathom judge` writes into its folder, as results of a task: MT-Bench's single grading ("mt_bench")
// and AlpacaEval 2.0 ("alpaca_eval").
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "compare/scored_task.h"

namespace fathom {

// Folders with a judge's scores: this one, and those right below it; sorted.
std::vector<std::string> judged_folders(const std::string& folder);

// Nothing for MT-Bench's pairs, which compare two models themselves. Items are a question's turn, in one
// cluster by question, or an instruction; those whose judgement failed have the weight 0. Error naming the
// file.
std::optional<ScoredTask> read_judged(const std::string& folder);

}  // namespace fathom
