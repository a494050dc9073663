// fathom sft: supervised fine-tuning on conversations. It is `fathom train` on other data, of whose tokens only
// what the assistant says is learned.
#include <CLI/CLI.hpp>
#include <memory>

#include "align/chat_data.h"
#include "align/chat_preview.h"
#include "base/threads.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/standard_streams.h"
#include "cli/train.h"

namespace fathom {
namespace {

struct Options {
  bool dry_run = false;
  int64_t conversation = 1;
};

// What a run would start with, and one conversation as it would be learned.
void preview(const Options& o, const TrainFlags& flags) {
  const Recipe recipe = read_recipe(flags);
  open_chat_data(recipe, recipe.run.threads > 0 ? static_cast<int>(recipe.run.threads) : hardware_threads());
  print_output("{}", chat_preview(recipe, o.conversation));
}

}  // namespace

void add_sft(CLI::App& app, World& world) {
  auto options = std::make_shared<Options>();
  auto flags = std::make_shared<TrainFlags>();
  flags->method = TrainingMethod::sft;
  CLI::App* command = app.add_subcommand("sft", "Fine-tune a model on conversations");
  command->add_flag("--dry-run", options->dry_run,
                    "read the data, show a conversation with what is learned of it, and train nothing");
  add_number(*command, "--conversation", options->conversation, "the one that --dry-run shows", {.low = 1});
  add_train_flags(*command, flags);
  command->callback([options, flags, &world] {
    if (options->dry_run) return preview(*options, *flags);
    run_training(*flags, world, {.open_data = open_chat_data, .make_objective = {}});
  });
}

}  // namespace fathom
