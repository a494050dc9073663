// The one program: `fathom SUBCOMMAND ...`. Errors become one clear line and exit code 1 here and nowhere
// else.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "cli/commands.h"

namespace {

int run(int argc, char** argv) {
  CLI::App app("DeepSeek-V2 models: train, exchange with Hugging Face, verify, generate.", "fathom");
  app.require_subcommand(1);
  app.set_version_flag("--version", "fathom " FATHOM_VERSION);
  fathom::add_commands(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);  // --help, --version
    fmt::print(stderr, "fathom: {}\n", e.what());
    return 1;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "fathom: not enough memory\n");
  } catch (const std::exception& e) {
    fmt::print(stderr, "fathom: {}\n", e.what());
  }
  return 1;
}
