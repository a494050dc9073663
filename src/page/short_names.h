// Names of folders for tables and legends.
#pragma once
#include <span>
#include <string>
#include <vector>

namespace fathom {

// The last folder's name, or the whole path where that does not tell them apart.
std::vector<std::string> short_names(std::span<const std::string> paths);

}  // namespace fathom
