// Published judgements, where they are: the folder that FATHOM_JUDGE_DATA names, or data/judge/ of a folder
// "shared" beside the project.
#pragma once
#include <cstdlib>
#include <filesystem>
#include <string>

#include "support/paths.h"

namespace fathom::testing {

inline std::string published(const std::string& file) {
  const char* given = std::getenv("FATHOM_JUDGE_DATA");
  const std::filesystem::path folder =
      given ? std::filesystem::path(given) : std::filesystem::path(source_dir()) / "../shared/data/judge";
  return (folder / file).string();
}

}  // namespace fathom::testing

#define SKIP_WITHOUT(path)            \
  if (!std::filesystem::exists(path)) \
  GTEST_SKIP() << (path) << " is not there; FATHOM_JUDGE_DATA may name its folder"
