#include "cli/commands.h"

namespace fathom {

void add_commands(CLI::App& app) {
  add_generate(app);
  add_info(app);
  add_prepare(app);
  add_tokenize(app);
  add_train(app);
  add_train_tokenizer(app);
  add_verify(app);
}

}  // namespace fathom
