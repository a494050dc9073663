// Where the tests find the project's files and its program: where they were built, or, on another machine,
// where the variables FATHOM_SOURCE_DIR and FATHOM_PROGRAM say.
#pragma once
#include <string>

namespace fathom::testing {

std::string source_dir();
std::string program();

}  // namespace fathom::testing
