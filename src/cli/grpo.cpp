// fathom grpo: reinforcement learning with group relative advantages. It is `fathom train` on answers that the model
// itself gives, through the serving engine over the weights that are trained.
#include <CLI/CLI.hpp>
#include <memory>

#include "align/grpo_kind.h"
#include "cli/commands.h"
#include "cli/train.h"

namespace fathom {

void add_grpo(CLI::App& app, World& world) {
  auto flags = std::make_shared<TrainFlags>();
  flags->method = TrainingMethod::grpo;
  CLI::App* command = app.add_subcommand("grpo", "Train a chat model on rewards of its own answers");
  add_train_flags(*command, flags);
  command->callback([flags, &world] {
    std::optional<GrpoTask> task;
    run_training(*flags, world, grpo_kind(task));
  });
}

}  // namespace fathom
