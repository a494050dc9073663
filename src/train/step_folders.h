// Folders of a run that belong to one of its steps: OUT/step-00000123, a checkpoint, and OUT/eval/step-00000123.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace fathom {

// PARENT/step-00000123 for step 123.
std::string step_folder(const std::string& parent, int64_t step);

// Those that are there, with their steps, lowest first.
std::vector<std::pair<int64_t, std::string>> step_folders(const std::string& parent);

}  // namespace fathom
