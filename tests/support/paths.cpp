// The only file compiled with absolute paths in it, so that a compiler cache serves every clone.
#include "support/paths.h"

#include <cstdlib>

namespace fathom::testing {
namespace {

std::string path_or(const char* variable, const char* built) {
  const char* given = std::getenv(variable);
  return given && *given ? given : built;
}

}  // namespace

std::string source_dir() {
  return path_or("FATHOM_SOURCE_DIR", FATHOM_SOURCE_DIR);
}

std::string program() {
  return path_or("FATHOM_PROGRAM", FATHOM_PROGRAM);
}

}  // namespace fathom::testing
