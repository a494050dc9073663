// The flags of a training run, and the run: `fathom train` and the commands that train on other data, or after
// some preparation.
#pragma once
#include <CLI/App.hpp>
#include <memory>
#include <string>
#include <vector>

#include "comm/world.h"
#include "train/recipe.h"
#include "train/trainer.h"

namespace fathom {

struct TrainFlags {
  TrainingMethod method = TrainingMethod::train;
  std::string config;
  bool resume = false;
  std::vector<std::string> changes;  // keys that a resumed run may change
  std::string trace;                 // of the profile; empty: no profile
  std::vector<Setting> overrides;
};

// --config, --resume and the like, and every key that recipes of flags->method have.
void add_train_flags(CLI::App& command, const std::shared_ptr<TrainFlags>& flags);
Recipe read_recipe(const TrainFlags& flags);
void run_training(const TrainFlags& flags, World& world, const TrainingKind& kind = {});

}  // namespace fathom
