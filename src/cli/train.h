// The flags of a training run, and the run: `fathom train` and what trains after some other preparation.
#pragma once
#include <CLI/App.hpp>
#include <memory>
#include <string>
#include <vector>

#include "comm/world.h"
#include "train/recipe.h"

namespace fathom {

struct TrainFlags {
  std::string config;
  bool resume = false;
  std::vector<std::string> changes;  // keys that a resumed run may change
  std::string trace;                 // of the profile; empty: no profile
  std::vector<Setting> overrides;
};

// --config, --resume and the like, and every key of the recipe.
void add_train_flags(CLI::App& command, const std::shared_ptr<TrainFlags>& flags);
void run_training(const TrainFlags& flags, World& world);

}  // namespace fathom
