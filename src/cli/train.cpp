// fathom train --config recipe.toml [--KEY value ...]: pretraining. Every key of the recipe is a flag.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/interrupt.h"
#include "cli/commands.h"
#include "cli/profile_report.h"
#include "cli/rank_report.h"
#include "cli/standard_streams.h"
#include "cli/trace.h"
#include "cli/train.h"
#include "cli/training_evaluation.h"
#include "cli/training_samples.h"
#include "comm/agreement.h"
#include "comm/launcher.h"
#include "model/adapter_config.h"
#include "train/trainer.h"
#include "train/training_run.h"

namespace fathom {
namespace {

// `measure`: what the validation says.
void print_outcome(const TrainOutcome& o, const std::string& measure) {
  if (o.ending == Ending::nothing_to_do) {
    print_output(
        "the run is finished, after step {}; nothing was changed\nto lengthen it: a larger schedule.steps, "
        "schedule.tokens or run.epochs, and --resume-with that key\nmodel: {}\n",
        o.step, o.model);
    return;
  }
  if (o.model.empty()) {
    const char* reason = o.ending == Ending::interrupted ? "interrupted" : "stopped";
    print_output("{} after step {}; checkpoint {}\ncontinue with the same command and --resume\n", reason,
                 o.step, o.checkpoint);
    return;
  }
  const char* reason = o.ending == Ending::out_of_time ? "time is up" : "finished";
  print_output("{} after step {}: training loss {:.4f}", reason, o.step, o.loss);
  if (o.validation_loss) print_output(", validation {} {:.4f}", measure, *o.validation_loss);
  print_output("\n{}: {}\n", is_adapter_folder(o.model) ? "adapter" : "model", o.model);
}

// Of the rank that waited longest. Every rank calls it.
void report_data_wait(Profile& profile, Communicator& ranks) {
  double seconds = 0;
  for (const Profile::Part& part : profile.parts())
    if (part.name == Trainer::data_wait) seconds += part.seconds;
  ranks.host().run(AllReduce{.x = Tensor(&seconds, DType::f64, {1}), .reduction = Reduction::max});
  if (ranks.rank() == 0)
    print_message("{}: {:.3f} ms, {:.2f}% of the step\n", Trainer::data_wait, seconds * 1e3,
                  100 * seconds / profile.seconds());
}

// Every rank calls it; rank 0 prints. The ops that are printed are its own.
void report_profile(const Recipe& recipe, const std::string& trace, Device& device, Profile& profile,
                    Communicator& ranks) {
  const std::string title = "training step 3";
  const ClockOffset clock = clock_offset(ranks);
  if (ranks.size() > 1) {
    const std::vector<RankTimes> times = gather_times(ranks, rank_times(profile));
    const std::vector<std::string> hosts = gather_texts(ranks, host_name());
    if (ranks.rank() == 0) write_message(rank_table(title, times, hosts));
  }
  if (ranks.rank() == 0) print_profile(device, recipe.run.precision, profile, title);
  report_data_wait(profile, ranks);
  write_trace(trace, title, profile, ranks, clock);
}

// A list's flag takes several values, or lists, and may be given several times: all of them count.
Setting list_setting(const std::string& key, const std::vector<std::string>& texts) {
  Setting setting{key, Json::array(), {}};
  for (const std::string& text : texts) {
    const Setting part = flag_setting(key, text);
    setting.where = part.where;
    for (const Json& value : part.value.is_array() ? part.value : Json::array({part.value}))
      setting.value.push_back(value);
  }
  return setting;
}

void add_recipe_flag(CLI::App& command, const RecipeKey& key, std::vector<Setting>& overrides) {
  const std::string help = key.otherwise.empty() ? key.help : fmt::format("{} [{}]", key.help, key.otherwise);
  const auto read = [&overrides, name = key.name](const std::string& text) {
    overrides.push_back(flag_setting(name, text));
  };
  const auto read_list = [&overrides, name = key.name](const std::vector<std::string>& texts) {
    overrides.push_back(list_setting(name, texts));
  };
  const std::string flag = "--" + key.name;
  CLI::Option* option = key.list
                            ? command.add_option_function<std::vector<std::string>>(flag, read_list, help)
                            : command.add_option_function<std::string>(flag, read, help);
  option->type_name("")->group("Recipe keys");
}

}  // namespace

Recipe read_recipe(const TrainFlags& flags) {
  return read_recipe(flags.config, flags.overrides, flags.method);
}

void run_training(const TrainFlags& flags, World& world, const TrainingKind& kind) {
  const Recipe recipe = read_recipe(flags);
  std::optional<TrainingEvaluation> evaluation;
  if (!recipe.eval.tasks.empty()) evaluation.emplace(recipe);
  catch_interrupts();
  const bool writes = world.rank() == 0;
  TrainOptions how{.resume = flags.resume || !flags.changes.empty(),
                   .changes = flags.changes,
                   .on_profile = {},
                   .write_samples =
                       [&](Device& device, const Model& model, const std::string& tokenizer_folder) {
                         return training_samples(device, model, recipe, tokenizer_folder);
                       },
                   .evaluate = {},
                   .kind = kind,
                   .world = world.size() > 1 ? &world : nullptr};
  if (evaluation)
    how.evaluate = [&](const EvaluationMoment& moment) { return evaluation->scores(moment); };
  world.check_same("--resume", how.resume ? "true" : "false");
  world.check_same("--profile", flags.trace);
  if (!flags.trace.empty())
    how.on_profile = [&](Device& device, Profile& profile, Communicator& ranks) {
      report_profile(recipe, flags.trace, device, profile, ranks);
    };
  const TrainOutcome outcome = train(recipe, how);
  if (writes) print_outcome(outcome, kind.measure);
}

void add_train_flags(CLI::App& command, const std::shared_ptr<TrainFlags>& flags) {
  command.add_option("--config", flags->config, "the recipe, a TOML file (see recipes/)");
  command.add_flag("--resume", flags->resume, "continue from the newest checkpoint in run.output");
  command
      .add_option(
          "--resume-with", flags->changes,
          "--resume, where these keys of the recipe may have new values: schedule.steps, optimizer.lr, "
          "batch.micro_batch and the like")
      ->type_name("KEY ...")
      ->delimiter(',');
  command.add_flag(
      "--no-tokenizer",
      [flags](int64_t) {
        flags->overrides.push_back({"data.no_tokenizer", true, "command line"});
      },
      "the data has no tokenizer.json: save the model without one");
  command.add_option(
      "--profile", flags->trace,
      "print where the time of the run's third step goes, and write its trace, for Perfetto, to this "
      "file; of several ranks, all");
  for (const RecipeKey& key : recipe_keys(flags->method)) add_recipe_flag(command, key, flags->overrides);
}

void add_train(CLI::App& app, World& world) {
  auto flags = std::make_shared<TrainFlags>();
  CLI::App* command = app.add_subcommand("train", "Train a model from a recipe");
  add_train_flags(*command, flags);
  command->callback([flags, &world] { run_training(*flags, world); });
}

}  // namespace fathom
