#include "cli/commands.h"

namespace fathom {

void add_commands(CLI::App& app) {
  add_generate(app);
  add_info(app);
  add_plan(app);
  add_prepare(app);
  add_tokenize(app);
  add_train(app);
  add_train_tokenizer(app);
  add_verify(app);
  // A flag without a value takes none: --json=7 is an error.
  for (CLI::App* command : app.get_subcommands({}))
    for (CLI::Option* option : command->get_options())
      if (option->get_expected_max() == 0) option->disable_flag_override();
}

}  // namespace fathom
