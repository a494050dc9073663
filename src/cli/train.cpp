// fathom train --config recipe.toml [--KEY value ...]: pretraining. Every key of the recipe is a flag.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "base/interrupt.h"
#include "cli/commands.h"
#include "cli/profile_report.h"
#include "train/training_run.h"

namespace fathom {
namespace {

struct Options {
  std::string config;
  bool resume = false;
  std::string trace;  // of the profile; empty: no profile
  std::vector<Setting> overrides;
};

void print_outcome(const TrainOutcome& o) {
  if (o.model.empty()) {
    const char* reason = o.ending == Ending::interrupted ? "interrupted" : "stopped";
    fmt::print("{} after step {}; checkpoint {}\ngo on with the same command and --resume\n", reason, o.step,
               o.checkpoint);
    return;
  }
  const char* reason = o.ending == Ending::out_of_time ? "time is up" : "finished";
  fmt::print("{} after step {}: training loss {:.4f}", reason, o.step, o.loss);
  if (o.validation_loss) fmt::print(", validation loss {:.4f}", *o.validation_loss);
  fmt::print("\nmodel: {}\n", o.model);
}

void run(const Options& options) {
  const Recipe recipe = read_recipe(options.config, options.overrides);
  catch_interrupts();
  TrainOptions how{.resume = options.resume, .on_profile = {}};
  if (!options.trace.empty())
    how.on_profile = [&](Device& device, Profile& profile) {
      print_profile(device, recipe.run.precision, profile, "training step 3");
      write_trace(options.trace, profile);
    };
  print_outcome(train(recipe, how));
}

}  // namespace

void add_train(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("train", "Train a model from a recipe");
  command->add_option("--config", options->config, "the recipe, a TOML file (see recipes/)");
  command->add_flag("--resume", options->resume, "go on from the newest checkpoint in run.output");
  command->add_option(
      "--profile", options->trace,
      "print where the time of the run's third step goes, and write its trace, for Perfetto, to this "
      "file");
  for (const RecipeKey& key : recipe_keys()) {
    const std::string help =
        key.otherwise.empty() ? key.help : fmt::format("{} [{}]", key.help, key.otherwise);
    command
        ->add_option_function<std::string>(
            "--" + key.name,
            [options, name = key.name](const std::string& text) {
              options->overrides.push_back(flag_setting(name, text));
            },
            help)
        ->type_name("")
        ->group("Recipe keys");
  }
  command->callback([options] { run(*options); });
}

}  // namespace fathom
