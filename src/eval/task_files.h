// The task files of the folder tasks/, which CMake puts into the program.
#pragma once
#include <span>
#include <string_view>

namespace fathom::task_files {

struct File {
  std::string_view name;  // "mmlu.toml"
  std::string_view text;
};

std::span<const File> all();

}  // namespace fathom::task_files
