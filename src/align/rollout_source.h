// The steps of GRPO: questions go to the engine, over the weights that are trained; its answers are scored and
// become one or more steps.
#pragma once
#include <optional>
#include <vector>

#include "align/chat_tools.h"
#include "align/grpo_objective.h"
#include "align/questions.h"
#include "align/rewards/reward_set.h"
#include "align/rollout.h"
#include "base/progress.h"
#include "engine/generate_all.h"
#include "model/scoring_pass.h"
#include "train/step_source.h"
#include "train/trainer.h"

namespace fathom {

// What a run of GRPO asks, and how it judges. Outlives its source.
struct GrpoTask {
  ChatTools tools;
  std::vector<Question> questions, validation;
  std::optional<RewardSet> rewards;
};

class RolloutSource : public StepSource {
 public:
  // The objective is a GrpoObjective.
  RolloutSource(const TrainingKind::SourceParts& parts, GrpoTask& task);

  bool ready() override;
  const PackedStep& next() override;
  int64_t windows_read() const override { return read_; }
  bool may_stop() const override { return done_ == planned_; }
  // The mean reward of the validation questions' most likely answers, of each part, and their lengths.
  std::vector<Objective::Sum> validate() override;
  std::vector<Json> take_records() override;

 private:
  // Answers to these questions, `samples` each; temperature 0: the most likely.
  std::vector<Answer> generate(std::span<const Question* const> questions, int64_t samples, double temperature,
                               const GenerationStep& after_step);
  RewardBatch score(std::span<const Question* const> questions, std::vector<Answer>& answers, int64_t samples);
  bool roll_out();
  void set_advantages();
  void set_old();
  void record();
  // Of those that take part, the ones of a step.
  std::vector<int64_t> answers_of_step(int64_t step) const;
  // Answers by their numbers, as micro-batches.
  std::vector<PackedBatch> packed(std::span<const int64_t> answers) const;
  struct Times {
    double updates, rollout, rewards;  // seconds
  };
  void report_times(const Times& times);
  void report_rollout(double seconds, int64_t sampled_tokens, const RewardBatch& rewards);

  TrainingKind::SourceParts parts_;
  const Recipe::Grpo& settings_;
  GrpoTask& task_;
  GrpoObjective& objective_;
  Engine engine_;
  std::optional<ScoringPass> scoring_;  // for the log-probabilities before the first of several updates

  int64_t read_;                     // questions
  std::vector<Answer> answers_;      // of the last rollout
  int64_t planned_ = 0, done_ = 0;   // steps that are made of it
  PackedStep step_;
  std::vector<Json> records_;
  double rollout_ended_ = 0, validation_seconds_ = 0;  // the last one's time; since then
  bool answered_before_ = false;
};

}  // namespace fathom
