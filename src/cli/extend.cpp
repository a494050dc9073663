// fathom extend MODEL --to LENGTH: longer contexts by YaRN, and training at them. It is `fathom train` that
// starts from the model; with --out alone nothing is trained.
#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/parse_number.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/standard_streams.h"
#include "cli/train.h"
#include "model/extension.h"
#include "model/model_folder.h"

namespace fathom {
namespace {

struct Options {
  std::string model, out;
  int64_t to = 0, from = 0;
};

void extend_alone(const Options& o, const TrainFlags& training, const World& world) {
  check(training.config.empty() && training.overrides.empty() && !training.resume && training.changes.empty(),
        "--out writes the extended model without training; a recipe and its keys train, and write to "
        "run.output");
  check(world.size() == 1, "fathom extend --out runs as one process, and was launched as {} ranks",
        world.size());
  const Config before = read_config(o.model), after = extended(before, o.to, o.from, o.model);
  copy_model(o.model, o.out, after);
  print_output("{} tokens of context instead of {}: YaRN from {} tokens, factor {:g}\nmodel: {}\n",
               after.max_position_embeddings, before.max_position_embeddings,
               after.rope_scaling.original_max_position_embeddings, after.rope_scaling.factor, o.out);
}

void run(const Options& o, TrainFlags training, World& world) {
  if (!o.out.empty()) return extend_alone(o, training, world);
  check(!training.config.empty() || !training.overrides.empty(),
        "fathom extend trains at the new length: give --config and the recipe's keys; or --out, to write the "
        "model without training");
  const auto set = [&](const char* key, Json value) {
    training.overrides.push_back({key, std::move(value), "command line"});
  };
  set("model.init_from", o.model);
  set("model.extend_to", o.to);
  if (o.from > 0) set("model.extend_from", o.from);
  run_training(training, world);
}

}  // namespace

void add_extend(CLI::App& app, World& world) {
  auto options = std::make_shared<Options>();
  auto training = std::make_shared<TrainFlags>();
  CLI::App* command = app.add_subcommand("extend", "Extend a model to longer contexts and train it there");
  command->add_option("model", options->model, "model folder")->required();
  add_number(*command, "--to", options->to, "tokens of the new longest context", {.low = 1})->required();
  add_number(*command, "--from", options->from,
             "tokens that the model was trained on; by default its longest context, or what an earlier "
             "extension began with",
             {.low = 1});
  command->add_option("--out", options->out, "write the model here, extended but not trained");
  add_train_flags(*command, training);
  command->callback([options, training, &world] { run(*options, *training, world); });
}

}  // namespace fathom
