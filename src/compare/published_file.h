// published/deepseek-v2.toml, which CMake puts into the program.
#pragma once
#include <string_view>

namespace fathom {

extern const std::string_view published_file;

}  // namespace fathom
