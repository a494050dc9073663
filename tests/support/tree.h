// A folder's content, to be compared with another one's.
#pragma once
#include <filesystem>
#include <map>
#include <string>

#include "io/file.h"

namespace fathom::testing {

// Relative paths and contents of all files below a folder; folders end in "/".
using Tree = std::map<std::string, std::string>;

inline Tree tree_of(const std::string& folder) {
  namespace fs = std::filesystem;
  Tree tree;
  if (!fs::exists(folder)) return tree;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const std::string name = fs::relative(entry.path(), folder).string();
    if (entry.is_directory())
      tree[name + "/"] = "";
    else
      tree[name] = read_file(entry.path().string());
  }
  return tree;
}

inline std::string names_of(const Tree& tree) {
  std::string names;
  for (const auto& [name, content] : tree) names += name + " ";
  return names;
}

}  // namespace fathom::testing
