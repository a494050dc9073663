// What CLI11 refuses on a command line, as one clear line.
#pragma once
#include <CLI/App.hpp>
#include <string>

namespace fathom {

// After app.parse() threw `error`: names the flag or command at fault, and the one that was most likely
// meant.
std::string explain_parse_error(const CLI::App& app, const CLI::ParseError& error);

}  // namespace fathom
