// A whole training run: progress lines, metrics, validation, checkpoints, a clean stop on Ctrl-C.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "comm/world.h"
#include "model/model.h"
#include "tensor/profile.h"
#include "train/recipe.h"
#include "train/trainer.h"

namespace fathom {

// Why a run came back.
enum class Ending { finished, out_of_time, stop_at, interrupted, nothing_to_do };

struct TrainOutcome {
  Ending ending = Ending::finished;
  int64_t step = 0;
  double loss = 0;  // mean over the targets since the last line of progress
  std::optional<double> validation_loss;
  std::string checkpoint;  // the last one
  std::string model;       // the model folder; empty when the run is to be resumed
};

// A model in training that is to be scored, on every rank.
struct EvaluationMoment {
  Device& device;
  const Model& model;
  const TrainingData& data;  // with the tokenizer's folder
  Communicator& ranks;       // all, in host memory
  int64_t step, tokens;      // trained on so far
};
using MeasuredScores = std::vector<std::pair<std::string, double>>;

struct TrainOptions {
  bool resume = false;
  // Keys of the recipe that may have other values than the run was started with.
  std::vector<std::string> changes = {};
  // Called once, with what was measured of the run's third step (the first ones warm up). Every rank has one,
  // or none has; `ranks` are all of them, in host memory.
  std::function<void(Device&, Profile&, Communicator& ranks)> on_profile = {};
  // Continues the recipe's sample.prompts with the model as it is, all of it on one rank. A folder's
  // tokenizer is the model's. Called by the rank that writes, when there are prompts.
  std::function<std::vector<std::string>(Device&, const Model&, const std::string& tokenizer_folder)>
      write_samples = {};
  // Scores the recipe's eval.tasks with the model as it is, into `eval` of the output folder. Every rank calls
  // it, with the whole model; the one that writes gets names and values for the metrics.
  std::function<MeasuredScores(const EvaluationMoment&)> evaluate = {};
  TrainingKind kind = {};
  World* world = nullptr;  // all ranks of the run; null for one process alone
};

// Runs the recipe into recipe.run.output, or continues from the newest whole checkpoint there. Error when
// there is a checkpoint and resume is false, or none and it is true, or when another process trains there. A
// run that is finished already changes nothing: nothing_to_do. Every rank calls it; rank 0 writes.
TrainOutcome train(const Recipe& recipe, const TrainOptions& options);

}  // namespace fathom
