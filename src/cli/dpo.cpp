// fathom dpo: a policy learns preferences offline, without a reward model. It is `fathom train` on pairs of answers.
#include <CLI/CLI.hpp>
#include <memory>

#include "align/preference_kind.h"
#include "cli/commands.h"
#include "cli/train.h"

namespace fathom {

void add_dpo(CLI::App& app, World& world) {
  auto flags = std::make_shared<TrainFlags>();
  flags->method = TrainingMethod::dpo;
  CLI::App* command = app.add_subcommand("dpo", "Train a chat model on preferences, against itself as it was");
  add_train_flags(*command, flags);
  command->callback([flags, &world] {
    PreferenceData data;
    run_training(*flags, world, preference_kind(data));
  });
}

}  // namespace fathom
