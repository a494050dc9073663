// The one program: `fathom SUBCOMMAND ...`. Errors become one clear line and exit code 1 here and nowhere
// else.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <exception>
#include <optional>
#include <sstream>
#include <string>

#include "base/error.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/parse_errors.h"
#include "cli/standard_streams.h"
#include "comm/world.h"

namespace {

void run(int argc, char** argv, fathom::World& world) {
  CLI::App app("DeepSeek-V2 models: train, exchange with Hugging Face, verify, generate.", "fathom");
  app.require_subcommand(1);
  app.set_version_flag("--version", "fathom " FATHOM_VERSION);
  fathom::add_commands(app, world);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    fathom::check(e.get_exit_code() == 0, "{}", fathom::explain_parse_error(app, e));
    std::ostringstream text, ignored;  // --help, --version
    app.exit(e, text, ignored);
    if (world.rank() == 0) fathom::write_output(text.str());
  }
  fathom::flush_output();
}

void start(std::optional<fathom::World>& world) {
  world.emplace();
  world->check_ranks();
  if (world->rank() > 0) fathom::log::silence();
}

int fail_with(std::string message, std::optional<fathom::World>& world) {
  std::replace(message.begin(), message.end(), '\n', ' ');
  if (world && world->size() > 1) world->abort(message);
  fathom::print_message("fathom: {}\n", message);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  fathom::prepare_standard_streams();
  std::optional<fathom::World> world;
  try {
    start(world);
    run(argc, argv, *world);
    return 0;
  } catch (const std::exception& e) {
    return fail_with(fathom::explain(e), world);
  }
}
