// Tasks that a model in training is scored on, with its weights as they are: OUT/eval/step-00000200 has what
// `fathom eval --out` writes, with the step and the tokens trained on.
#pragma once
#include <vector>

#include "eval/task_engine.h"
#include "eval/task_result.h"
#include "train/recipe.h"
#include "train/training_run.h"

namespace fathom {

class TrainingEvaluation {
 public:
  // Reads the tasks of recipe.eval and their items; Error for what is wrong with them.
  explicit TrainingEvaluation(const Recipe& recipe);

  // Folders of later steps, of a run that went back or begins, are removed; a step that has one is not scored
  // again. Of several ranks each measures a share, and the first one writes. Nothing when a signal came.
  MeasuredScores scores(const EvaluationMoment& moment) const;

 private:
  bool needed(const EvaluationMoment& moment) const;
  std::vector<TaskResult> results(const EvaluationMoment& moment, const std::string& out) const;

  const Recipe& recipe_;
  std::vector<TaskWithItems> tasks_;
};

// "eval/mmlu/sum" for the mean over items, "eval/mmlu/sum/subjects" and the like for macro averages.
MeasuredScores scores_of(const std::vector<TaskResult>& results);

}  // namespace fathom
