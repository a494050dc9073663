// Where the tests find the project's files and its program: where they were built, or, on another machine,
// where the variables FATHOM_SOURCE_DIR and FATHOM_PROGRAM say.
#pragma once
#include <cstdlib>
#include <string>

namespace fathom::testing {

inline std::string path_or(const char* variable, const char* built) {
  const char* given = std::getenv(variable);
  return given && *given ? given : built;
}

inline std::string source_dir() {
  return path_or("FATHOM_SOURCE_DIR", FATHOM_SOURCE_DIR);
}

#ifdef FATHOM_PROGRAM
inline std::string program() {
  return path_or("FATHOM_PROGRAM", FATHOM_PROGRAM);
}
#endif

}  // namespace fathom::testing
