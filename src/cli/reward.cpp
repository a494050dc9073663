// fathom reward: trains a model that scores answers. It is `fathom train` on pairs of answers, or on answers with
// scores; --score and --evaluate use such a model.
#include <CLI/CLI.hpp>
#include <memory>

#include "align/preference_kind.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/reward_scores.h"
#include "cli/train.h"

namespace fathom {
namespace {

void run(const RewardScoring& scoring, const TrainFlags& training, World& world) {
  const bool scores = !scoring.score.empty() || !scoring.evaluate.empty();
  if (scores) {
    check(world.size() == 1, "fathom reward --score and --evaluate run as one process, and were launched as {} ranks",
          world.size());
    check(training.config.empty() && training.overrides.empty(),
          "--score and --evaluate train nothing: a recipe and its keys go without them");
    return score_files(scoring);
  }
  check(scoring.model.empty() && scoring.adapter.empty() && scoring.out.empty() && scoring.json.empty(),
        "--model, --adapter, --out and --json go with --score or --evaluate");
  PreferenceData data;
  run_training(training, world, preference_kind(data));
}

}  // namespace

void add_reward(CLI::App& app, World& world) {
  auto scoring = std::make_shared<RewardScoring>();
  auto training = std::make_shared<TrainFlags>();
  training->method = TrainingMethod::reward;
  CLI::App* command = app.add_subcommand("reward", "Train a reward model, or score answers with one");
  command->add_option("--score", scoring->score,
                      "file of conversations or preferences: write its rows with their scores to --out");
  command->add_option("--evaluate", scoring->evaluate,
                      "file of preferences: print how often the model agrees, and how sure it is of what");
  command->add_option("--model", scoring->model, "the reward model that scores, a model folder");
  command->add_option(
      "--adapter", scoring->adapter,
      "of a reward model that was trained as an adapter: its folder; --model is what is beneath");
  command->add_option("--out", scoring->out, "of --score: the file to write, one row a line");
  command->add_option("--json", scoring->json, "of --evaluate: write the figures to this file too");
  command->add_option("--device", scoring->device, "cpu, cuda, or cuda:N")->capture_default_str();
  add_threads(*command, scoring->threads);
  add_train_flags(*command, training);
  command->callback([scoring, training, &world] { run(*scoring, *training, world); });
}

}  // namespace fathom
