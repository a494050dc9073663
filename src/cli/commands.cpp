#include "cli/commands.h"

#include "base/error.h"
#include "comm/world.h"

namespace fathom {
namespace {

// Each rank would do all of the work, and write the same files.
void refuse_ranks(CLI::App& command, const World& world) {
  command.preparse_callback([name = command.get_name(), ranks = world.size()](size_t) {
    check(ranks == 1,
          "fathom {} runs as one process, and was launched as {} ranks; fathom train and fathom extend take "
          "several",
          name, ranks);
  });
}

}  // namespace

void add_commands(CLI::App& app, World& world) {
  add_chat(app);
  CLI::App* eval = app.add_subcommand("eval", "Evaluate a model");
  eval->require_subcommand(1);
  add_eval_needle(*eval);
  add_eval_positions(*eval);
  add_extend(app, world);
  add_generate(app);
  add_info(app);
  add_merge(app);
  add_plan(app);
  add_prepare(app);
  add_report(app);
  add_tokenize(app);
  add_train(app, world);
  add_train_tokenizer(app);
  add_verify(app);
  // A flag without a value takes none: --json=7 is an error.
  for (CLI::App* command : app.get_subcommands({})) {
    if (command->get_name() != "train" && command->get_name() != "extend") refuse_ranks(*command, world);
    for (CLI::Option* option : command->get_options())
      if (option->get_expected_max() == 0) option->disable_flag_override();
  }
}

}  // namespace fathom
