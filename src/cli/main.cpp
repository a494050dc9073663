// The one program: `fathom SUBCOMMAND ...`. Errors become one clear line and exit code 1 here and nowhere
// else.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <exception>
#include <sstream>
#include <string>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/parse_errors.h"
#include "cli/standard_streams.h"

namespace {

void run(int argc, char** argv) {
  CLI::App app("DeepSeek-V2 models: train, exchange with Hugging Face, verify, generate.", "fathom");
  app.require_subcommand(1);
  app.set_version_flag("--version", "fathom " FATHOM_VERSION);
  fathom::add_commands(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    fathom::check(e.get_exit_code() == 0, "{}", fathom::explain_parse_error(app, e));
    std::ostringstream text, ignored;  // --help, --version
    app.exit(e, text, ignored);
    fathom::write_output(text.str());
  }
  fathom::flush_output();
}

int fail_with(std::string message) {
  std::replace(message.begin(), message.end(), '\n', ' ');
  fathom::print_message("fathom: {}\n", message);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  fathom::prepare_standard_streams();
  try {
    run(argc, argv);
    return 0;
  } catch (const std::exception& e) {
    return fail_with(fathom::explain(e));
  }
}
