#include "page/short_names.h"

#include <algorithm>
#include <filesystem>

namespace fathom {

std::vector<std::string> short_names(std::span<const std::string> paths) {
  std::vector<std::string> names;
  for (const std::string& given : paths) {
    std::error_code ignored;
    const std::filesystem::path path = std::filesystem::absolute(given, ignored).lexically_normal();
    names.push_back((path.has_filename() ? path : path.parent_path()).filename().string());
  }
  for (size_t i = 0; i < paths.size(); ++i)
    if (std::count(names.begin(), names.end(), names[i]) > 1)
      for (size_t k = paths.size(); k-- > i;)
        if (names[k] == names[i]) names[k] = paths[k];
  return names;
}

}  // namespace fathom
