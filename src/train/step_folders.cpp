#include "train/step_folders.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <string_view>

#include "io/descriptor.h"

namespace fathom {
namespace {

constexpr std::string_view prefix = "step-";

}  // namespace

std::string step_folder(const std::string& parent, int64_t step) {
  return file_in(parent, fmt::format("{}{:08}", prefix, step));
}

std::vector<std::pair<int64_t, std::string>> step_folders(const std::string& parent) {
  std::vector<std::pair<int64_t, std::string>> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(parent, error)) {
    const std::string name = entry.path().filename().string();
    const std::string digits = name.starts_with(prefix) ? name.substr(prefix.size()) : "";
    const bool number =
        !digits.empty() && digits.size() < 19 &&
        std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (number && entry.is_directory()) found.emplace_back(std::stoll(digits), entry.path().string());
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace fathom
