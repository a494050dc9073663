#include "cli/commands.h"

namespace fathom {

void add_commands(CLI::App& app) {
  add_info(app);
  add_verify(app);
}

}  // namespace fathom
