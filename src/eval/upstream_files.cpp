// Where the files of a data set lie.
#include <fnmatch.h>

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "eval/upstream.h"
#include "io/content_hash.h"
#include "io/file.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

std::string with_subject(std::string pattern, const std::string& subject) {
  constexpr std::string_view mark = "{subject}";
  for (size_t at; (at = pattern.find(mark)) != std::string::npos;) pattern.replace(at, mark.size(), subject);
  return pattern;
}

std::vector<std::string> matches(const fs::path& pattern) {
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(pattern.parent_path(), error))
    if (entry.is_regular_file() &&
        fnmatch(pattern.filename().c_str(), entry.path().filename().c_str(), FNM_PERIOD) == 0)
      found.push_back(entry.path());
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

std::string find_upstream(const std::string& folder, const std::vector<std::string>& patterns,
                          const std::string& subject) {
  for (const std::string& pattern : patterns) {
    const std::vector<std::string> found = matches(fs::path(folder) / with_subject(pattern, subject));
    check(found.size() <= 1, "{}: several files fit {}: {}", folder, pattern, fmt::join(found, ", "));
    if (!found.empty()) return found[0];
  }
  return "";
}

UpstreamFile hashed_file(const std::string& path) {
  return {path, hash_value(read_file(path)).text()};
}

}  // namespace fathom
